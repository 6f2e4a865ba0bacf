"""What every part of the package speaks: frames, detections, decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
import math

import numpy as np
from numpy.typing import NDArray


class Action(IntEnum):
    """What gave a frame its features (values of ``ForecastDecision.action``)."""

    READ = 0
    FORECAST = 1


class Reason(IntEnum):
    """Why a frame was READ or FORECAST (values of ``ForecastDecision.reason``)."""

    FIRST_FRAME = 0
    SCHEDULER = 1
    LIMIT = 2
    RESET = 3
    POLICY = 4
    REQUEST = 5


class Policy(str, Enum):
    """
    Who decides, and what answers a frame that is not READ.

    The scheduler network decides, or every frame is READ, or every n-th. The answer is the head's
    on the forecast, or the boxes of the last READ, carried along with the picture (``flow``).
    ``auto`` is what suits the weights.
    """

    AUTO = 'auto'
    SCHEDULER = 'scheduler'
    READ = 'read'
    ALTERNATE = 'alternate'
    FLOW = 'flow'
    SCHEDULED_FLOW = 'scheduled_flow'

    @property
    def takes_p(self) -> bool:
        """Whether the scheduler decides."""
        return self in (Policy.AUTO, Policy.SCHEDULER, Policy.SCHEDULED_FLOW)

    @property
    def takes_read_every(self) -> bool:
        """Whether every so many frames are READ."""
        return self in (Policy.ALTERNATE, Policy.FLOW)

    @property
    def carries(self) -> bool:
        """Whether boxes are carried to the frames that are not READ; never of ``auto``."""
        return self in (Policy.FLOW, Policy.SCHEDULED_FLOW)

    def suited(self, moves: bool) -> Policy:
        """
        Say what ``auto`` is; every other policy is itself.

        :param moves: whether the network's forecast is motion alone: then boxes are moved as
            well as features, for half of the time.
        """
        if self is not Policy.AUTO:
            return self
        return Policy.SCHEDULED_FLOW if moves else Policy.SCHEDULER


class Budget(str, Enum):
    """What moves p: nothing; the share of READs; the time of a step; steps a second."""

    NONE = 'none'
    READ_SHARE = 'read_share'
    LATENCY = 'latency'
    RATE = 'rate'


class BadFrameError(ValueError):
    """Raised when a frame cannot be used: broken header, truncated or undecodable data."""


class CutImageError(BadFrameError):
    """Raised when an image has less data than its fields say."""


class WeightsError(ValueError):
    """Raised when a weights file is missing, truncated, foreign or does not fit."""


def _released() -> NDArray[np.uint8]:
    """Stand in for the image of a frame of which only the header was kept."""
    raise RuntimeError('of past frames no images are kept, only headers')


@dataclass(frozen=True)
class Frame:
    """
    One image of a stream, not yet decoded.

    :ivar stamp_ns: time of capture in nanoseconds.
    :ivar load: decodes the image: (H, W, 3), uint8, RGB. Called on READ, and on every frame
        where the network peeks or boxes are carried. It raises :class:`BadFrameError` for an
        image that cannot be used.
    :ivar size: (width, height) in pixels, or None where only decoding tells
        (compressed images).
    :ivar frame_id: coordinate frame of the camera.
    :ivar encoding: pixel encoding of the source; a change of it resets the stream.
    """

    stamp_ns: int
    load: Callable[[], NDArray[np.uint8]]
    size: tuple[int, int] | None = None
    frame_id: str = ''
    encoding: str = 'rgb8'

    def header(self) -> Frame:
        """Return the frame without its image, to be kept; loading that is an error then."""
        return replace(self, load=_released)

    @classmethod
    def from_array(cls, image: NDArray[np.uint8], stamp_ns: int, frame_id: str = '') -> Frame:
        """
        Wrap an image that is already decoded.

        :param image: (H, W, 3), uint8, RGB.
        """
        height, width = image.shape[:2]
        return cls(stamp_ns, lambda: image, (width, height), frame_id)


@dataclass(frozen=True)
class Detections:
    """
    Detected objects of one frame, by falling score.

    :ivar boxes: (N, 4), float32, xyxy in pixels of the input image.
    :ivar scores: (N,), float32, in [0, 1].
    :ivar labels: (N,), int64, index into the labels of the weights (0 is the first class;
        background has no index here).
    :ivar ids: (N,), int64, from 1 on: one object has one number in the frames of a stream. None
        where objects are not followed.
    """

    boxes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    scores: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    ids: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.scores)

    def above(self, score: float) -> Detections:
        """Keep the detections whose score is at least ``score``."""
        keep = self.scores >= score
        ids = None if self.ids is None else self.ids[keep]
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep], ids)


@dataclass(frozen=True)
class Decision:
    """
    Why a frame was READ or FORECAST.

    :ivar confidence: compared with the threshold: the scheduler's that a forecast serves this
        frame, computed one frame earlier or, where the network peeks, on this very frame; as a
        rule times those of the forecasts since the last READ. NaN where there is none.
    :ivar threshold: the p that was in force when this frame started.
    :ivar frames_since_read: 0 on a READ, then counting.
    :ivar last_read_stamp_ns: stamp of the READ that this frame's features come from.
    :ivar inference_ms: wall time of the step, milliseconds; streams that share a batched
        step share its time.
    """

    action: Action
    reason: Reason
    threshold: float
    reason_detail: str = ''
    confidence: float = math.nan
    frames_since_read: int = 0
    last_read_stamp_ns: int = 0
    inference_ms: float = 0.0


@dataclass(frozen=True)
class StepResult:
    """What one step gives for one frame: its detections and the decision behind them."""

    stamp_ns: int
    detections: Detections
    decision: Decision

    def or_raise(self) -> StepResult:
        """Give itself, where a frame that could not be used is an error."""
        return self


@dataclass(frozen=True)
class StepFailure:
    """A frame that could not be used. The stream's state is as before the frame."""

    stamp_ns: int
    error: BadFrameError

    def or_raise(self) -> StepResult:
        """:raises BadFrameError: that of the frame."""
        raise self.error
