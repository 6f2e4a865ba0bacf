"""Scales, ticks and the frame of a chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import math

from markupsafe import Markup

from .svg import element, join

WIDTH, HEIGHT = 440.0, 290.0
LEFT, RIGHT, TOP, BOTTOM = 38.0, 20.0, 30.0, 44.0


@dataclass(frozen=True)
class Scale:
    """A straight line from values (``low`` to ``high``) to places (``start`` to ``end``)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Give the place of a value."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Choose round values (1, 2 or 5 times a power of ten apart) in a range, about so many."""
    span = high - low
    if not span > 0:
        return [low]
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def padded(
    values: Sequence[float], share: float = 0.08, floor: float | None = None,
    ceiling: float = math.inf,
) -> tuple[float, float]:
    """Give the range of values with some room around, not below ``floor`` or above ``ceiling``."""
    low, high = min(values), max(values)
    room = share * (high - low) or abs(high) * share or 1.0
    low = low - room if floor is None else max(floor, low - room)
    return low, min(ceiling, high + room)


def plain(value: float) -> str:
    """Write a tick: no digits that say nothing."""
    return f'{value:.6g}'


@dataclass(frozen=True)
class Plot:
    """
    The area between two axes.

    :ivar x: values to pixels of the chart; ``y`` likewise, upwards.
    """

    x: Scale
    y: Scale
    height: float = HEIGHT

    @classmethod
    def over(
        cls, x: tuple[float, float], y: tuple[float, float], height: float = HEIGHT
    ) -> Plot:
        """Lay out a plot for ranges of values."""
        return cls(
            Scale(*x, LEFT, WIDTH - RIGHT), Scale(*y, height - BOTTOM, TOP), height
        )

    def frame(
        self, x_label: str, y_label: str, x_text: Callable[[float], str] = plain,
        y_text: Callable[[float], str] = plain, x_ticks: Sequence[float] | None = None,
    ) -> Markup:
        """Draw grid, ticks and names of the axes; they belong below what is plotted."""
        bottom = self.y.start
        parts = []
        for value in ticks(self.y.low, self.y.high):
            at = self.y(value)
            parts.append(element('line', x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_='grid'))
            parts.append(element('text', y_text(value), x=LEFT - 8, y=at, class_='tick y'))
        for value in ticks(self.x.low, self.x.high) if x_ticks is None else x_ticks:
            at = self.x(value)
            parts.append(element('line', x1=at, x2=at, y1=bottom, y2=bottom + 4, class_='axis'))
            parts.append(element('text', x_text(value), x=at, y=bottom + 18, class_='tick x'))
        parts.append(element(
            'line', x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom, class_='axis'
        ))
        parts.append(element('text', y_label, x=4, y=14, class_='name'))
        parts.append(element(
            'text', x_label, x=WIDTH - RIGHT, y=bottom + 37, class_='name end'
        ))
        return join(parts)
