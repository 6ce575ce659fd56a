"""A simulated NaviLink cloud on loopback with simulated heaters.

Its ``__all__`` is public, and ``navien_nwp500.simulator.faults``. Imports only ``protocol``,
``config``, ``exceptions`` and ``_util``.
"""

from .._util.extras import missing_extra

try:
    from ..protocol.capture import CaptureEntry
    from .cloud.counters import Counters
    from .heater.controller import DemandChange
    from .heater.energy_meter import EnergyUse
    from .heater.firmware import Firmware
    from .heater.simulated_heater import Heater
    from .heater.water_draws import Draw, Draws
    from .simulator import Simulator
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        missing_extra("the simulator", error.name, "simulator"), name=error.name
    ) from error

__all__ = [
    "CaptureEntry",
    "Counters",
    "DemandChange",
    "Draw",
    "Draws",
    "EnergyUse",
    "Firmware",
    "Heater",
    "Simulator",
]
