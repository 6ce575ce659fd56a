"""Recorded statuses: CSV and alerts."""
