"""Boxes carried by dense motion, as a carrier."""

from __future__ import annotations

import numpy as np

from ..carrying import carried_on
from ..engine.reading import load_image
from ..flow import dense_flow
from ..kept import Kept, scaled, SmallPicture
from ..types import Detections, Frame


class FlowBoxes:
    """Carries the detections of the last READ from frame to frame, as the engine does it."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget the last detections and pictures."""
        self._kept = Kept()

    def read(self, detections: Detections, frame: Frame) -> Detections:
        """Keep the detections."""
        self._kept = self._kept.read(detections, _picture(frame))
        return detections

    def skip(self, frame: Frame | None) -> Detections:
        """Carry them on; to a frame that has not come yet as the last two frames moved."""
        if frame is None:
            self._kept = self._kept.ahead()
        else:
            self._kept = self._kept.moved(_picture(frame))
        return self._kept.doubted()


class PlainFlowBoxes:
    """
    Carries the detections of the last READ by dense motion, and does no more.

    What trackers have: boxes are not fitted to how they looked, and keep their scores.
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget the last detections and pictures."""
        self._boxes = Detections()
        self._now: SmallPicture | None = None
        self._before: SmallPicture | None = None

    def read(self, detections: Detections, frame: Frame) -> Detections:
        """Keep the detections."""
        self._before, self._now = self._now, _picture(frame)
        self._boxes = scaled(detections, np.float32(1) / self._now.scale)
        return detections

    def skip(self, frame: Frame | None) -> Detections:
        """Carry them on; to a frame that has not come yet as the last two frames moved."""
        if frame is not None:
            self._before, self._now = self._now, _picture(frame)
        now, before = self._now, self._before
        if now is None:
            return self._boxes
        if before is not None and before.grey.shape == now.grey.shape:
            flow = (dense_flow(before.blurred, now.blurred) if frame is not None
                    else -dense_flow(now.blurred, before.blurred))
            self._boxes = carried_on(self._boxes, flow)
        return scaled(self._boxes, now.scale)


def _picture(frame: Frame) -> SmallPicture:
    image = load_image(frame)
    return SmallPicture.of(image, frame.size or (image.shape[1], image.shape[0]))
