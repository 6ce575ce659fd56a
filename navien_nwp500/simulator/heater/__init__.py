"""A simulated heater: tank, heat pump, controller and Wi-Fi module.

Imports ``protocol`` and below; the broker port is passed in.
"""
