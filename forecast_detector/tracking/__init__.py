"""Which detections are one object: filters of boxes, association, identities. No PyTorch."""

from .book import TrackBook
from .filters import KalmanConfig
from .tracker import Tracker

__all__ = ['KalmanConfig', 'TrackBook', 'Tracker']
