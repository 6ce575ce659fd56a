"""Programs built on the public API alone, one folder each.

They do not import each other, except that ``cli`` starts them, and none imports ``_connection``,
except ``diagnostics``, which must look at a connection while it is being made.
"""
