"""Benchmarks of speed, memory and reconnecting, each against a floor in the same run."""
