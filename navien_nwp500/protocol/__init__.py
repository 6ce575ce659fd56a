"""The wire format, without I/O: topics, messages, commands, fields and their types.

Imports ``exceptions`` and ``_util`` alone. Client, simulator and documents read the same tables;
``navien_nwp500.models`` offers the data types to programs.
"""
