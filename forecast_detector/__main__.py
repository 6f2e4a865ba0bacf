"""``python -m forecast_detector``: the command line."""

import sys

from .cli.main import main

sys.exit(main())
