"""A whole NaviLink cloud on loopback: demo, test kit and test bench in one."""

from .simulator import Simulator

__all__ = ["Simulator"]
