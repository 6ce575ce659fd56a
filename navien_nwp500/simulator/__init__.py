"""A whole NaviLink cloud on loopback: demo, test kit and test bench in one."""

try:
    from .simulator import Simulator
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"the simulator needs {error.name}: pip install 'navien-nwp500[simulator]'",
        name=error.name,
    ) from error

__all__ = ["Simulator"]
