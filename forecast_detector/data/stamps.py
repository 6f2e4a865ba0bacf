"""Stamps of decoded frames: the container's, mended where it gives none."""

from __future__ import annotations

from array import array
import math

SECOND_NS = 1_000_000_000
# FFmpeg's "no stamp" comes out of OpenCV far below 0; and 64 bits of nanoseconds have an end.
_LIMIT_MS = 1e12


class Stamps:
    """
    Collects the stamps of a video's frames, in order; they rise.

    A frame without a stamp, or with one that does not rise, follows the frames before it at the
    video's rate. Where time goes back by more than a second and goes on from there (videos
    joined, a counter that began again), so do the stamps; one that goes back alone is damaged.

    :ivar values_ns: of the frames so far.
    :ivar fps: frames per second, where the container gives no stamps.
    """

    def __init__(self, fps: float) -> None:
        """
        Begin with no frame.

        :param fps: frames per second, where the container gives no stamps.
        """
        self.values_ns = array('q')
        self.fps, self._offset_ns = fps, 0
        self._anchor_ns, self._since = 0, 0  # last stamp of the container, frames after it
        self._back: tuple[int, int] | None = None  # of the last frame, if back: stamp and value

    def __len__(self) -> int:
        """Return the number of frames so far."""
        return len(self.values_ns)

    def add(self, position_ms: float) -> None:
        """
        Take the next frame.

        :param position_ms: the container's stamp, as OpenCV gives it.
        """
        known = math.isfinite(position_ms) and 0 <= position_ms < _LIMIT_MS
        stamp_ns = round(position_ms * 1e6) + self._offset_ns if known else -1
        before_ns = self.values_ns[-1] if self.values_ns else -1
        is_back = known and stamp_ns <= before_ns - SECOND_NS
        if is_back and self._back is not None and stamp_ns > self._back[0]:
            shift_ns = self._back[1] - self._back[0]
            self._offset_ns += shift_ns
            stamp_ns += shift_ns
            is_back = False
        if stamp_ns > before_ns:
            self._anchor_ns, self._since = stamp_ns, 0
        elif before_ns >= 0:
            self._since += 1
        step_ns = round(self._since * SECOND_NS / self.fps)
        value_ns = max(self._anchor_ns + step_ns, before_ns + 1)
        self._back = (stamp_ns, value_ns) if is_back else None
        self.values_ns.append(value_ns)
