"""Connection diagnostics: the checks of ``doctor``, and its advice.

The one program that may import ``_connection``, to look at a connection while it is being made.
"""

from .checks import Finding, State, diagnose

__all__ = ["Finding", "State", "diagnose"]
