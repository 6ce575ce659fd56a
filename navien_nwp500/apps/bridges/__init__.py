"""Bridges to Home Assistant over MQTT and to Prometheus. They need the extra ``bridges``."""
