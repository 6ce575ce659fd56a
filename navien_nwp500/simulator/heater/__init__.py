"""A simulated heater: plant, controller, Wi-Fi module."""
