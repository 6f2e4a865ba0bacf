#!/usr/bin/env python3
"""
Draw the frames of highest loss of an evaluation as one picture, for a model card.

    forecast-detector evaluate --weights W … --trace --json run.json
    scripts/draw_failures.py run.json failures.png
"""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# RGB of what a box is: an object that was found or missed, a detection that is right or false.
COLOURS = {
    'true': (245, 245, 245), 'missed': (255, 200, 0), 'found': (60, 220, 90),
    'detected': (60, 220, 90), 'false': (235, 40, 50),
}
ZOOM = 2


def draw(picture: dict[str, Any]) -> NDArray[np.uint8]:
    """Draw a picture of a trace with its boxes, (H, W, 3), BGR, and its caption below."""
    data = np.frombuffer(base64.b64decode(picture['jpeg']), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    image = cv2.resize(image, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    for box in picture['boxes']:
        x0, y0, x1, y1 = (round(ZOOM * value) for value in box['xyxy'])
        colour = COLOURS[box['role']][::-1]
        cv2.rectangle(image, (x0, y0), (x1, y1), colour, 2)
        if box['role'] in ('missed', 'false'):
            text = box['name'] if box['score'] is None else f'{box["name"]} {box["score"]:.2f}'
            cv2.putText(image, text, (x0, max(12, y0 - 4)), cv2.FONT_HERSHEY_SIMPLEX, 0.45,
                        colour, 1, cv2.LINE_AA)
    strip = np.full((26, image.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, f'{picture["action"]}, {picture["caption"]}', (6, 18),
                cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.asarray(np.vstack([image, strip]), np.uint8)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run', type=Path, help='JSON of evaluate --trace')
    parser.add_argument('out', type=Path)
    parser.add_argument('--columns', type=int, default=3)
    args = parser.parse_args()
    if args.columns < 1:
        parser.error(f'--columns: {args.columns} is below 1')
    trace = json.loads(args.run.read_text())['trace']
    drawn = [draw(picture) for picture in trace['pictures'] if picture['kind'] == 'worst']
    drawn = drawn[:len(drawn) // args.columns * args.columns]
    if not drawn:
        raise SystemExit(f'{args.run}: a trace with {args.columns} worst cases or more is '
                         'expected; evaluate --trace on annotated frames makes one')
    height = max(image.shape[0] for image in drawn)
    width = max(image.shape[1] for image in drawn)
    drawn = [cv2.copyMakeBorder(
        image, 0, height - image.shape[0], 0, width - image.shape[1], cv2.BORDER_CONSTANT,
        value=(255, 255, 255),
    ) for image in drawn]
    rows = [np.hstack(drawn[i:i + args.columns]) for i in range(0, len(drawn), args.columns)]
    cv2.imwrite(str(args.out), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == '__main__':
    main()
