"""REST and MQTT to the cloud and, over it, confirmed commands to a heater.

Imports ``protocol``, ``config``, ``exceptions`` and ``_util`` alone; what it needs of the account
and the transports is passed in. Private: programs use ``navien_nwp500`` instead.
"""
