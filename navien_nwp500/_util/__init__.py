"""Helpers without knowledge of heaters: asyncio, files, optional packages, version.

Imports nothing of the package. Private.
"""
