"""The wire format, without I/O: topics, messages, commands, fields and their types."""
