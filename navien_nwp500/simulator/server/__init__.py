"""The servers of the simulated cloud: HTTPS, MQTT gateway, admin API, latency proxy."""
