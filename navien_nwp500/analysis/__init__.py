"""Recordings read back: what days and hours came to, and a page that shows it.

Needs the extra ``analysis`` (pandas, matplotlib). Nothing here prints or talks to a heater.
"""
