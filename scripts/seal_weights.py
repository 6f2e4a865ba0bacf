#!/usr/bin/env python3
"""
Add the digest to weights files that were written without one; their tensors stay as they are.

    .venv/bin/python scripts/seal_weights.py weights/*.safetensors
"""

from __future__ import annotations

from pathlib import Path
import sys

from forecast_detector.weights_file import digests, seal


def main() -> int:
    for path in map(Path, sys.argv[1:]):
        if not digests(path).stated:
            sealed = path.with_suffix('.sealed')
            seal(path, sealed)
            sealed.replace(path)
        print(digests(path).file, path)
    return 0


if __name__ == '__main__':
    sys.exit(main())
