"""What several test modules share: samples, and what makes them."""

import json

import cv2
import numpy as np

from forecast_detector.cli.command import parse
from forecast_detector.cli.evaluate import EvaluateCommand

LENGTH = 8


def box(frame):
    """Corner and size of the object: it moves by 6 pixels a frame."""
    return [10.0 + 6 * frame, 20.0, 40.0, 30.0]


def write_moving(root):
    """Write a CocoVID split of one clip; category ids are 4 and 9, only the second is used."""
    (root / 'annotations').mkdir()
    (root / 'val').mkdir()
    for k in range(LENGTH):
        cv2.imwrite(str(root / 'val' / f'{k}.png'), np.full((96, 128, 3), 9 * k, np.uint8))
    (root / 'annotations' / 'val.json').write_text(json.dumps({
        'categories': [{'id': 4, 'name': 'nut'}, {'id': 9, 'name': 'bolt'}],
        'videos': [{'id': 1, 'name': 'a', 'fps': 10}],
        'images': [
            {'id': 100 + k, 'video_id': 1, 'frame_id': k, 'file_name': f'{k}.png',
             'width': 128, 'height': 96} for k in range(LENGTH)
        ],
        'annotations': [
            {'id': k, 'image_id': 100 + k, 'category_id': 9, 'instance_id': 0, 'bbox': box(k)}
            for k in range(LENGTH)
        ],
    }))
    return root


def run(root, *options):
    """Run the command; returns its exit status and its JSON."""
    command = parse(EvaluateCommand, [
        '--dataset', 'coco_vid', '--root', str(root), '--json', str(root / 'out.json'),
        *map(str, options),
    ])
    return command.run(), json.loads((root / 'out.json').read_text())
