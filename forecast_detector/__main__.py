"""``python -m forecast_detector``: the command line."""

import sys

from .executables import forecast_detector

sys.exit(forecast_detector())
