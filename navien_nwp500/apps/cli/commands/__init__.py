"""The commands. ``COMMAND.py`` defines ``COMMAND_command`` and is imported when that command is called."""
