"""Fault injection: what can be made to go wrong, one dataclass per fault, and the registry."""
