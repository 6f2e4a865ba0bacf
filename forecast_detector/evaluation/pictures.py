"""Small pictures for a trace: a JPEG, and the boxes beside it, so that they stay sharp."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..data.base import Clip, Truth
from ..policies.step import Step
from ..records.trace import ACTIONS, DrawnBox, Kind, Picture, Role
from ..scoring.matching import in_crowd, match_frame, Rule
from ..types import BadFrameError, Detections

# At most about 25 kB a picture.
LONG_SIDE = 384
QUALITY = 78
# Weaker detections are measured, not drawn.
DRAWN_SCORE = 0.3
DRAWN_BOXES = 40


def shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make the longer side at most ``LONG_SIDE`` pixels."""
    factor = LONG_SIDE / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def to_jpeg(image: NDArray[np.uint8]) -> str:
    """
    Encode an image as it is to be put into JSON.

    :param image: (H, W, 3), uint8, RGB.
    :returns: JPEG in base64.
    """
    done, data = cv2.imencode(
        '.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    if not done:
        raise RuntimeError(f'OpenCV cannot encode an image of shape {image.shape} as JPEG')
    return base64.b64encode(data.tobytes()).decode('ascii')


def show_frame(
    kind: Kind, clip: Clip, index: int, step: Step, age: int, labels: Sequence[str],
    truth: Truth | None = None, loss: float | None = None,
) -> Picture | None:
    """
    Show what a frame gave.

    :param age: frames since the last READ.
    :param truth: given, its boxes are shown too, and which of them were found.
    :returns: the picture, None for a frame whose image cannot be decoded: a forecast never
        looked at it.
    """
    try:
        image = clip.read(index)
    except BadFrameError:
        return None
    small = shrink(image)
    drawn = step.detections.above(DRAWN_SCORE)
    boxes = _boxes(drawn, labels, truth, small.shape[1] / image.shape[1])
    return Picture(
        kind, clip.name, index, ACTIONS[step.action], _caption(truth, boxes, loss),
        (small.shape[1], small.shape[0]), boxes[:DRAWN_BOXES], to_jpeg(small), age,
    )


def _caption(truth: Truth | None, boxes: Sequence[DrawnBox], loss: float | None) -> str:
    words = []
    if truth is not None:
        missed = sum(box.role == 'missed' for box in boxes)
        false = sum(box.role == 'false' for box in boxes)
        words.append(f'{missed} of {len(truth)} objects missed')
        if false:
            words.append(f'{false} false')
    if loss is not None:
        words.append(f'loss {loss:.2f}')
    return ', '.join(words)


def _boxes(
    detections: Detections, labels: Sequence[str], truth: Truth | None, scale: float
) -> list[DrawnBox]:
    """
    List the boxes with what they are; ``detected`` where truth does not say more.

    :param scale: from pixels of the image to those of the picture.
    """
    def box(xyxy: NDArray[np.float32], label: int, role: Role, score: float | None) -> DrawnBox:
        x0, y0, x1, y1 = (round(float(v) * scale, 1) for v in xyxy)
        return DrawnBox((x0, y0, x1, y1), _name(labels, int(label)), role, score)

    scores = [round(float(score), 3) for score in detections.scores]
    if truth is None:
        return [box(xyxy, label, 'detected', score)
                for xyxy, label, score in zip(detections.boxes, detections.labels, scores)]
    found, _ = match_frame(detections, truth, Rule.PLAIN)
    listed = [
        box(xyxy, label, 'true' if i in found else 'missed', None)
        for i, (xyxy, label) in enumerate(zip(truth.boxes, truth.labels))
    ]
    spared = in_crowd(detections, truth, Rule.PLAIN)
    roles = np.where(found >= 0, 'found', np.where(spared, 'detected', 'false')).tolist()
    return listed + [
        box(*one) for one in zip(detections.boxes, detections.labels, roles, scores)
    ]


def _name(labels: Sequence[str], label: int) -> str:
    return labels[label] if 0 <= label < len(labels) else f'class {label}'


def spread(count: int, wanted: int) -> list[int]:
    """Choose ``wanted`` of ``count`` things evenly, each the middle of its stretch."""
    wanted = min(count, wanted)
    return [(2 * k + 1) * count // (2 * wanted) for k in range(wanted)]
