"""The cloud's own parts: accounts, REST API, signature check, IoT policy, broker process."""
