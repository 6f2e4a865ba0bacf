"""What an evaluation found, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
import os
import platform
from typing import Any

from ..scoring.bootstrap import Interval
from ..scoring.metrics import Metrics
from .run import Latency


@dataclass(frozen=True)
class EvaluationResult:
    """
    Numbers of one run and where they come from.

    :ivar frames: number of frames that were shown to the detector.
    :ivar map50_95: COCO's mean; None without its library.
    :ivar sap50: streaming average precision; None where it was not asked for.
    :ivar annotated: how many of them have a truth, be it empty, and are scored; None where that
        was not counted.
    :ivar skipped: what could not be used and why, as ``name`` and ``reason``.
    :ivar interval: 95 % interval of ``map50``; None where not asked for.
    :ivar versus: differences from other detections, with intervals; None where not asked for.
    :ivar latency: None where detections were only scored again.
    :ivar provenance: weights, hash, data set, split, stride, policy, p, device, machine …
    """

    metrics: Metrics
    frames: int
    clips: int
    map50_95: float | None = None
    sap50: float | None = None
    latency: Latency | None = None
    versus: dict[str, Any] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    annotated: int | None = None
    skipped: Sequence[Mapping[str, str]] = ()
    interval: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Turn into plain values (JSON)."""
        timed = self.latency
        return {
            **asdict(self.metrics),
            'map50_95': self.map50_95,
            'sap50': self.sap50,
            'read_share': timed.read_share if timed else None,
            'frames': self.frames,
            'annotated': self.annotated,
            'clips': self.clips,
            'skipped': [dict(one) for one in self.skipped],
            'ms_per_frame': timed.ms_per_frame if timed else None,
            'latency_ms': {
                'read': named(timed.read_ms), 'forecast': named(timed.forecast_ms),
            } if timed else None,
            'interval': asdict(self.interval) if self.interval else None,
            'versus': self.versus,
            'provenance': self.provenance,
        }

    def table(self) -> str:
        """Write for people."""
        return '\n'.join(self._lines())

    def _lines(self) -> Iterator[str]:
        metrics = self.metrics
        yield f'{"":24}{"mAP@0.5":>9}{"tolerant":>10}'
        yield _row('all', metrics.map50, metrics.map50_tolerant)
        for name, values in (*metrics.by_speed.items(), *metrics.by_class.items()):
            yield _row(f'  {name}', values['map50'], values['map50_tolerant'])
        if self.map50_95 is not None:
            yield _row('all, 0.50 to 0.95 (COCO)', self.map50_95)
        if self.sap50 is not None:
            yield _row('all, streaming', self.sap50)
        if self.interval is not None:
            yield f'map50: 95 % in [{self.interval.low:.4f}, {self.interval.high:.4f}]'
        for name in ('map50', 'map50_tolerant') if self.versus else ():
            gap = (self.versus or {})[name]
            yield (
                f'{name} less that of {(self.versus or {})["file"]}: {gap["difference"]:+.4f}, '
                f'95 % in [{gap["low"]:+.4f}, {gap["high"]:+.4f}]'
            )
        scored = '' if self.annotated in (None, self.frames) else f' ({self.annotated} annotated)'
        skipped = f', {len(self.skipped)} skipped' if self.skipped else ''
        yield f'{self.frames} frames{scored}, {self.clips} clips{skipped}'
        if self.latency:
            timed = self.latency
            yield (
                f'{timed.read_share:.1%} read; {timed.ms_per_frame:.2f} ms a frame '
                f'(READ {_ms(timed.read_ms)}, FORECAST {_ms(timed.forecast_ms)})'
            )


def named(values: tuple[float, float] | None) -> dict[str, float] | None:
    """Name median and 95th percentile, as they stand in JSON."""
    return {'p50': values[0], 'p95': values[1]} if values else None


def _ms(values: tuple[float, float] | None) -> str:
    return f'{values[0]:.2f} ms' if values else '–'


def _row(name: str, *values: float | None) -> str:
    cells = ('–' if value is None else f'{value:.4f}' for value in values)
    return f'{name:24}{next(cells):>9}' + ''.join(f'{cell:>10}' for cell in cells)


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
