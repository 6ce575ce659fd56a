"""The command line: options, context, runner, and one module per command in ``commands``."""
