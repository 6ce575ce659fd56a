"""A whole NaviLink cloud on loopback: demo, test kit and test bench in one."""

from .._util.extras import missing_extra

try:
    from .simulator import Simulator
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        missing_extra("the simulator", error.name, "simulator"),
        name=error.name,
    ) from error

__all__ = ["Simulator"]
