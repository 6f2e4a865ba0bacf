"""
The engine: what steps streams of frames through a network, READ or FORECAST.

``recurrence`` is the paper's step, ``rules`` are p and what resets a stream, ``memory`` is what
streams remember, ``reading`` turns frames into features; ``machinery`` runs them, ``detector``
steps streams through it.
"""

from .detector import StreamingDetector

__all__ = ['StreamingDetector']
