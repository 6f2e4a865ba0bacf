"""Where figures come from: weights, machine, settings, data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
import contextlib
import os
from pathlib import Path
import platform
from typing import Any, TYPE_CHECKING

from ..data.bag_options import BagOptions
from ..data.base import Clip, unfinished
from ..data.registry import RECORDINGS
from ..records.benchmark import ClockMhz
from ..records.evaluation import Provenance

if TYPE_CHECKING:
    from ..engine import StreamingDetector
    from .streaming_ap import Latencies

CPUINFO, CPUS = Path('/proc/cpuinfo'), Path('/sys/devices/system/cpu')


def origin(weights: str, sha256: str, detector: StreamingDetector) -> Provenance:
    """Say what detected, and on which machine."""
    return weights_origin(
        weights, sha256, detector.input_size, detector.resize, str(detector.device),
        detector.device_note)


def weights_origin(
    weights: str, sha256: str, input_size: Sequence[int], resize: str, device: str,
    device_note: str,
) -> Provenance:
    """Say so of a detector that another process has."""
    return {
        'weights': weights, 'sha256': sha256, 'input_size': list(input_size),
        'resize': resize, 'device': device, 'device_note': device_note, 'machine': machine(),
    }


def run_origin(
    workers: int | None, ray: str | None, anticipates: bool, planned: Latencies | None,
    asked: Mapping[str, Any],
) -> Provenance:
    """
    Say how an evaluation was run.

    :param planned: step times that were planned; those are no measured ones.
    :param asked: what :func:`~forecast_detector.policies.table.decisions` gave.
    """
    return {
        'workers': workers, 'ray': ray, 'anticipates': anticipates,
        'planned_ms': {
            'read': planned.read, 'forecast': planned.forecast, 'ahead': planned.ahead,
        } if planned else None,
        **asked,
    }


def scored_again(
    source: str, results: int, elsewhere: int, foreign: int
) -> Provenance:
    """Say which detections were only scored."""
    return {
        'from': source, 'results': results, 'results_elsewhere': elsewhere,
        'results_foreign': foreign,
    }


def data_origin(
    dataset: str, root: str | None, split: str, stride: int, bags: BagOptions,
    clips: Iterable[Clip],
) -> Provenance:
    """Say what was measured on."""
    about: Provenance = {
        'dataset': dataset, 'root': root, 'split': None if dataset in RECORDINGS else split,
        'stride': stride,
    }
    if dataset == 'rosbag':
        about.update(image_topic=bags.image_topic, truth_topic=bags.truth_topic,
                     truth_tolerance_ms=bags.tolerance_ns / 1e6)
    return {**about, **unfinished_origin(clips)}


def unfinished_origin(clips: Iterable[Clip]) -> Provenance:
    """Say under ``unfinished`` what recordings lack; nothing if all are whole."""
    found = unfinished(clips)
    return {'unfinished': found} if found else {}


def machine() -> str:
    """Describe the machine: processor, cores, system. It is the same in every run there."""
    name = next(_of_processors('model name'), platform.processor() or platform.machine())
    return f'{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}'


def clock_mhz() -> ClockMhz | None:
    """Say how fast the processor runs now, and at most; None where the system says neither."""
    now = [float(value) for value in _of_processors('cpu MHz')] or _frequencies('scaling_cur_freq')
    most = _frequencies('cpuinfo_max_freq')
    if not now and not most:
        return None
    return ClockMhz(sum(now) / len(now) if now else None, max(most, default=None))


def _of_processors(name: str) -> Iterator[str]:
    """Give what Linux says of each processor under a name; nothing on other systems."""
    try:
        lines = CPUINFO.read_text(encoding='utf-8').splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition(':')
        if key.strip() == name and value.strip():
            yield value.strip()


def _frequencies(name: str) -> list[float]:
    """Give the frequencies of the cores of some kind, MHz; a virtual machine often has none."""
    found = []
    for path in sorted(CPUS.glob(f'cpu[0-9]*/cpufreq/{name}')):
        with contextlib.suppress(OSError, ValueError):  # a core that is off says nothing
            found.append(int(path.read_text()) / 1e3)
    return found
