"""The alarm of a worker is that of any process that searches (`dataplane.alarm`)."""

from dataplane.alarm import Alarm

__all__ = ['Alarm']
