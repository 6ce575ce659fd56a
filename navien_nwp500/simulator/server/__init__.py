"""The loopback servers: HTTPS, MQTT gateway, admin API, latency."""
