"""A simulated NaviLink cloud on loopback with simulated heaters.

Its ``__all__ = [
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
