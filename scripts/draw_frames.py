#!/usr/bin/env python3
"""
Draw consecutive frames of the synthetic world with their detections, side by side.

    PYTHONPATH=. .venv/bin/python scripts/draw_frames.py docs/images/frames.jpg

Forecast frames are framed in red, as `detect --video` and `demo` draw them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from forecast_detector import load_checkpoint, StreamConfig, StreamingDetector
from forecast_detector.annotate import annotate
from forecast_detector.data.synthetic import load_synthetic
from forecast_detector.data.views import strided
from forecast_detector.types import Action, StepResult

GAP = 6
FONT = cv2.FONT_HERSHEY_SIMPLEX


def add_caption(image: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """Write a line of text above an image."""
    bar = np.full((30, image.shape[1], 3), 255, np.uint8)
    cv2.putText(bar, text, (4, 21), FONT, 0.62, (40, 40, 40), 1, cv2.LINE_AA)
    return np.asarray(np.vstack([bar, image]), np.uint8)


def draw(
    image: NDArray[np.uint8], result: StepResult, labels: tuple[str, ...], index: int
) -> NDArray[np.uint8]:
    """Draw one frame with its boxes, and what was decided above it."""
    decision = result.decision
    action = decision.action.name
    if decision.action is Action.FORECAST:
        action += f' ({decision.confidence:.2f} > {decision.threshold:g})'
    return add_caption(annotate(image, result.detections, labels, decision), f'{index}: {action}')


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path)
    parser.add_argument('--weights', default='synthetic')
    parser.add_argument('--p', type=float, default=0.7)
    parser.add_argument('--world', type=int, default=4, help='number of the demo world')
    parser.add_argument('--stride', type=int, default=3, help='every so many frames of it')
    parser.add_argument('--first', type=int, default=27, help='number of the first frame drawn')
    parser.add_argument('--frames', type=int, default=6)
    args = parser.parse_args()

    clip = strided(load_synthetic('demo').clips[args.world], args.stride)
    detector = StreamingDetector(load_checkpoint(args.weights), StreamConfig(p=args.p), 'cpu')
    drawn = []
    for index in range(args.first + args.frames):
        result = detector.step({'camera': clip.frame(index)})['camera']
        assert isinstance(result, StepResult)
        if index >= args.first:
            drawn.append(draw(clip.read(index), result, detector.labels, index))
    gap = np.full((drawn[0].shape[0], GAP, 3), 255, np.uint8)
    strip = np.hstack([part for image in drawn for part in (gap, image)][1:])
    strip = add_caption(strip, (
        f'Synthetic world {args.world} (demo), stride {args.stride}; weights {args.weights}; '
        f'p = {args.p:g}. In brackets: confidence > p.'
    ))
    cv2.imwrite(str(args.out), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR),
                [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == '__main__':
    main()
