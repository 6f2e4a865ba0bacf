"""Where figures come from."""

from __future__ import annotations

import os
import platform

from ..engine import StreamingDetector
from ..records.evaluation import Provenance


def origin(weights: str, sha256: str, detector: StreamingDetector) -> Provenance:
    """Say what detected, and on which machine."""
    return {
        'weights': weights, 'sha256': sha256, 'input_size': list(detector.input_size),
        'device': str(detector.device), 'device_note': detector.device_note,
        'machine': machine(),
    }


def machine() -> str:
    """Describe the machine: processor, cores, system."""
    name = platform.processor() or platform.machine()
    try:
        with open('/proc/cpuinfo', encoding='utf-8') as file:
            name = next(
                (line.split(':', 1)[1].strip() for line in file if line.startswith('model name')),
                name,
            )
    except OSError:
        pass
    return f'{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}'
