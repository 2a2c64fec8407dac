"""The dispatcher's settings, except that it may send to this machine, where the other systems of a measurement are."""

from config.dispatch_settings import *  # noqa: F403 (all settings are wanted)

OUTGOING_LOOPBACK = True
