"""What the heaters say, told on to other programs: Home Assistant over MQTT, and Prometheus."""
