"""Bridges to other systems: Home Assistant over MQTT, and Prometheus. Needs the extra ``bridges``."""
