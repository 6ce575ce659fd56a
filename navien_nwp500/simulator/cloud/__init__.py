"""The parts of the simulated cloud: accounts, REST API, signatures, IoT policy, broker."""
