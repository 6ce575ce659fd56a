"""The servers on loopback: HTTPS, MQTT gateway, admin API, latency proxy."""
