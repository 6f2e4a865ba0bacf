"""Results as typed records: what stands in the JSON of a measurement, written and read here."""

from .codec import RecordError
from .files import read, write

__all__ = ['RecordError', 'read', 'write']
