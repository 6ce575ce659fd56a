"""Boost: heat now for a while, then restore the settings; a program on the public API.

Time of use is off meanwhile, because a window mostly suppresses a start and defers a mode
(PROTOCOL 9.12). At the end each of mode, setpoint and time of use is restored, unless somebody else
has changed it. The settings before are in a private file, written before the first command, so that
a later run restores them after a crash or a power cut.
"""
