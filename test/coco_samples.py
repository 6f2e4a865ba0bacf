"""What several test modules share: samples, and what makes them."""

import json

import cv2
import numpy as np


def coco(root, names, frames=2, file=None):
    """Write a CocoVID with a video of PNG files a name, or of a video file."""
    (root / 'annotations').mkdir(parents=True)
    (root / 'val').mkdir()
    images = []
    for video, _ in enumerate(names, 1):
        for k in range(frames):
            name = file or f'{video}_{k}.png'
            images.append({'id': len(images) + 1, 'video_id': video, 'frame_id': k,
                           'file_name': name, 'width': 64, 'height': 48})
            if file is None:
                picture = np.full((48, 64, 3), 40 * video, np.uint8)
                cv2.imwrite(str(root / 'val' / name), picture)
    (root / 'annotations/val.json').write_text(json.dumps({
        'categories': [{'id': 1, 'name': 'bolt'}], 'images': images, 'annotations': [],
        'videos': [{'id': k, 'name': name, 'fps': 10} for k, name in enumerate(names, 1)],
    }))
    return root
