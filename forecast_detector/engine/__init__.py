"""
The engine: what steps streams of frames through a network, READ or FORECAST.

``recurrence`` is the paper's step, ``rules`` are p and what resets a stream, ``memory`` is what
streams remember, ``reading`` turns frames into features, ``machinery`` runs a batch of them, and
``detector`` steps streams.
"""

from .detector import StreamingDetector

__all__ = ['StreamingDetector']
