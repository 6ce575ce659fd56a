"""The commands, one module each, named like the command; each is loaded when it is called."""
