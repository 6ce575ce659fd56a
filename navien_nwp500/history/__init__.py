"""Recorded statuses: CSV files, the history database, alerts and summaries.

Imports ``protocol``, ``models``, ``config``, ``exceptions`` and ``_util``.
"""
