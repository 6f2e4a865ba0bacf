"""Identities: detections of successive frames that are one object have one number."""

from __future__ import annotations

from dataclasses import replace

from ..types import Detections
from .book import TrackBook
from .filters import KalmanConfig

# Detections come with every frame here, not with READs alone. Only those that are shown come, so
# all are strong.
EVERY_FRAME = KalmanConfig(strong=0.0, buffer=0.3, max_missed=15)


class Tracker:
    """Numbers the objects of one stream."""

    def __init__(self, config: KalmanConfig = EVERY_FRAME) -> None:
        """Start with none seen."""
        self._book = TrackBook(config)

    def start(self) -> None:
        """Begin anew: no object is one that was seen before, and none gets a former number."""
        self._book.start()

    def follow(self, detections: Detections) -> Detections:
        """Give the detections of the next frame with their ``ids``."""
        rows = self._book.take(detections, 1.0)
        return replace(detections, ids=self._book.ids[rows])
