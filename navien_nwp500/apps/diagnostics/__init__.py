"""Connection diagnostics: the checks of ``doctor``, and its advice.

The only program that may import ``_connection``, because it examines a connection being made.
"""

from .checks import Finding, State, diagnose

__all__ = ["Finding", "State", "diagnose"]
