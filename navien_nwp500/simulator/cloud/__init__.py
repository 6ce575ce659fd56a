"""Accounts, REST API, signatures, IoT policy and the broker process."""
