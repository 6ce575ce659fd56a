"""Helpers that know nothing of the project: asyncio, files, version."""
