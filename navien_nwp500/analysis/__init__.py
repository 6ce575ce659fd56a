"""Numbers from recorded statuses: energy, recoveries, costs. No I/O, but for files of prices.

Imports ``history`` and what is below it. Needs the extra ``analysis`` (pandas), except
``hot_water``, ``prices``, ``causes`` and what a ``forecast`` of one status takes.
"""
