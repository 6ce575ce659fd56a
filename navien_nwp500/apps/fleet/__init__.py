"""Recording of many accounts by several processes; it may use the public API and ``history``."""
