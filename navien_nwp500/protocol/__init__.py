"""Wire format, without I/O: topics, messages, commands, fields and their types.

Imports only ``exceptions`` and ``_util``. Client, simulator and documents read the same tables;
programs import the data types from ``navien_nwp500``.
"""
