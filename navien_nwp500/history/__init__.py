"""Recorded statuses: CSV files, alerts and summaries.

Imports ``protocol``, ``models``, ``config``, ``exceptions`` and ``_util``.
"""
