"""Boxes carried by dense motion, as a carrier."""

from __future__ import annotations

from ..carrying import CarriedBoxes, SmallPicture
from ..engine.reading import load_image
from ..types import Detections, Frame


class FlowBoxes:
    """Carries the detections of the last READ from frame to frame by dense motion."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget the last detections and pictures."""
        self._carried = CarriedBoxes()

    def read(self, detections: Detections, frame: Frame) -> Detections:
        """Keep the detections."""
        self._carried = self._carried.read(detections, _picture(frame))
        return detections

    def skip(self, frame: Frame | None) -> Detections:
        """Carry them on; to a frame that has not come yet as the last two frames moved."""
        if frame is None:
            self._carried = self._carried.anticipate()
        else:
            self._carried = self._carried.carry(_picture(frame))
        return self._carried.detections


def _picture(frame: Frame) -> SmallPicture:
    image = load_image(frame)
    return SmallPicture.of(image, frame.size or (image.shape[1], image.shape[0]))
