"""The command line: shared options, context and runner; ``commands`` has one module per command.

It may import every lower level except ``_connection``, and starts the other apps when their command
is called.
"""
