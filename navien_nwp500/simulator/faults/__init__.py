"""Faults that can be injected."""
