"""How old images are by their stamps, and what it means where a limit drops nearly all of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from threading import Lock

# The last so many images are judged, once there are a few.
WINDOW, FEW = 20, 5
# The trouble begins at the first share of stale images and ends below the second.
BEGINS, ENDS = 0.9, 0.5
AHEAD_S = 1.0
# An image is stamped with the time of day or, below this, since something was started.
CALENDAR_S = 10 * 365 * 86400
REMEDY = (
    'let both take the time from one clock (NTP or PTP; replayed or simulated: use_sim_time and '
    '/clock), or set max_age_s: 0'
)


@dataclass(frozen=True)
class Age:
    """
    One image when its turn came.

    :ivar stamp_s: of its header.
    :ivar now_s: ROS time.
    :ivar waited_s: how long it had been in the node.
    """

    stamp_s: float
    now_s: float
    waited_s: float

    @property
    def offset_s(self) -> float:
        """How far its stamp was behind ROS time when it came."""
        return self.now_s - self.waited_s - self.stamp_s


class Ages:
    """The ages of a camera's last images; safe between threads."""

    def __init__(self) -> None:
        """Start with none seen."""
        self._seen: deque[Age] = deque(maxlen=WINDOW)
        self._lock = Lock()
        self._is_trouble = False

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._seen.clear()

    def saw(self, age: Age) -> None:
        """Note one image."""
        with self._lock:
            self._seen.append(age)

    def offset_s(self) -> float | None:
        """Give how far stamps are behind ROS time; None before there are any."""
        with self._lock:
            return median(age.offset_s for age in self._seen) if self._seen else None

    def trouble(self, max_age_s: float, is_simulated: bool) -> str:
        """
        Say why a limit on age drops nearly everything, or cannot work; '' where it works.

        :param is_simulated: whether ROS time comes from ``/clock``.
        """
        with self._lock:
            seen = list(self._seen)
        if not max_age_s or len(seen) < FEW:
            return ''
        clock = 'the time on /clock' if is_simulated else 'the system clock'
        if is_simulated and all(age.now_s == 0 for age in seen):
            return (
                'use_sim_time is set, and nothing comes on /clock: max_age_s has no effect; '
                'publish /clock (`ros2 bag play --clock`), or set use_sim_time: false'
            )
        if all(age.offset_s < -AHEAD_S for age in seen):
            ahead_s = -median(age.offset_s for age in seen)
            return (
                f'stamps are {span(ahead_s)} ahead of {clock}: max_age_s has no effect; {REMEDY}'
            )
        stale = sum(age.now_s - age.stamp_s > max_age_s for age in seen)
        self._is_trouble = stale >= len(seen) * (ENDS if self._is_trouble else BEGINS)
        if not self._is_trouble:
            return ''
        return (
            f'{stale} of the last {len(seen)} images were dropped as older than max_age_s '
            f'({max_age_s:g} s): {_why(seen, max_age_s, clock)}'
        )


def _why(seen: list[Age], max_age_s: float, clock: str) -> str:
    offset_s = median(age.offset_s for age in seen)
    stamp_s = median(age.stamp_s for age in seen)
    if offset_s <= max_age_s:
        waited_s = median(age.waited_s for age in seen)
        return f'they wait {span(waited_s)} for their turn; lower p, or set a higher max_age_s'
    if not any(age.stamp_s for age in seen):
        return (
            f'their stamps are 0, which is {span(offset_s)} behind {clock}; let the camera stamp '
            'its images, or set max_age_s: 0'
        )
    since = ''
    if stamp_s < CALENDAR_S < seen[-1].now_s:
        since = ' (they count from a start, not from 1970)'
    return f'their stamps are {span(offset_s)} behind {clock} when they come{since}; {REMEDY}'


def span(seconds: float) -> str:
    """Write a time span, long ones also in hours or days."""
    if seconds < 120:
        return f'{seconds:.1f} s'
    if seconds < 2 * 86400:
        return f'{seconds:.0f} s ({seconds / 3600:.1f} h)'
    return f'{seconds:.0f} s ({seconds / 86400:.0f} days)'
