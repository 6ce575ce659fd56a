"""Recorded statuses: CSV files, alerts and sums.

Imports ``protocol``, ``models``, ``config``, ``exceptions`` and ``_util``.
"""
