"""JSON as evaluate, replay and sweep write it, made up: for the tests of the report."""

import base64
from html.parser import HTMLParser
import json

import cv2
import numpy as np

VOID = {'meta', 'link', 'img', 'br'}


class Page(HTMLParser):
    """Elements with their attributes, the text, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.path = [], [], []
        self.feed(text)
        assert self.path == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.path.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.path.pop() == tag

    def handle_data(self, data):
        if 'style' not in self.path:
            self.words.append(data)

    @property
    def text(self):
        return ' '.join(' '.join(self.words).replace('\xa0', ' ').split())

    def all(self, tag, class_=None):
        return [a for t, a in self.elements
                if t == tag and (class_ is None or class_ in a.get('class', '').split())]


def jpeg(seed=0):
    image = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    return base64.b64encode(cv2.imencode('.jpg', image)[1].tobytes()).decode()


def frame(index, truth=True):
    read = index % 3 == 0
    return {
        'stamp_ns': index * 100_000_000, 'action': 'READ' if read else 'FORECAST',
        'reason': 'SCHEDULER' if index else 'FIRST_FRAME',
        'confidence': 0.2 + 0.1 * (index % 7) if index else None,
        'latency_ms': (30.0 if read else 8.0) + 0.1 * index, 'loss': 0.5 if truth else None,
        'detections': 2,
    }


def picture(kind, clip, index=3, action='READ', **changes):
    return {
        'kind': kind, 'clip': clip, 'index': index, 'action': action, 'age': 0,
        'caption': 'loss 1.20', 'size': [16, 12], 'jpeg': jpeg(index),
        'boxes': [
            {'xyxy': [1, 2, 8, 9], 'name': 'cat', 'score': 0.75, 'role': 'detected'},
            {'xyxy': [2, 3, 9, 9], 'name': 'dog', 'score': None, 'role': 'missed'},
        ], **changes,
    }


def make_trace(clips=('a', 'b', 'c'), frames=20, truth=True):
    heat = [
        picture('heat', clips[0], 4 + k, policy=policy, boxes=[], brightest=0.8)
        for k in range(2) for policy in ('scheduler, p = 0.5', 'alternate')
    ]
    return {
        'clips': [{'name': name, 'frames': [frame(i, truth) for i in range(frames)]}
                  for name in clips],
        'pictures': [
            picture('timeline', clips[0]), picture('timeline', clips[0], 7, 'FORECAST', age=1),
            *([picture('worst', clips[1], 5, 'FORECAST', age=2)] if truth else []), *heat,
        ],
        'errors': [
            {'clip': clips[0], 'policy': policy, 'index': [1, 2, 3],
             'action': ['FORECAST', 'READ', 'FORECAST'], 'error': [0.2, 0.4, 0.6]}
            for policy in ('scheduler, p = 0.5', 'alternate')
        ],
    }


def make_run(truth=True, trace=True, classes=('cat', 'dog'), **provenance):
    values = {'map50': 0.6, 'map50_tolerant': 0.62} if truth else dict.fromkeys(
        ('map50', 'map50_tolerant'))
    return {
        **values,
        'by_speed': {name: dict(values) for name in ('slow', 'medium', 'fast')},
        'by_class': {name: dict(values) for name in classes} if truth else {},
        'map50_95': 0.35 if truth else None, 'sap50': None, 'read_share': 0.35, 'frames': 60,
        'clips': 3, 'ms_per_frame': 17.0,
        'latency_ms': {'read': {'p50': 31.0, 'p95': 40.0}, 'forecast': {'p50': 9.0, 'p95': 12.0}},
        'versus': None, 'skipped': [],
        'provenance': {'weights': 'foda', 'dataset': 'coco_vid', 'split': 'val',
                       'policy': 'scheduler', 'p': 0.5, 'input_size': [320, 320], **provenance},
        **({'trace': make_trace(truth=truth)} if trace else {}),
    }


def make_point(policy='scheduler', share=0.5, p=None, every=None, map50=0.6):
    return {
        'policy': policy, 'p': p, 'read_every': every, 'read_share': share, 'map50': map50,
        'map50_tolerant': map50, **dict.fromkeys((
            'agreement50', 'recall50', 'frames_to_find', 'annotated_recall50',
            'annotated_overlap')),
        'by_speed': {}, 'ms_per_frame': 8 + 25 * share,
    }


def make_sweep():
    points = [make_point(p=p, share=s, map50=m)
              for p, s, m in ((1.0, 1.0, 0.67), (0.7, 0.4, 0.64), (0.0, 0.1, 0.4))]
    points += [make_point(policy, 1 / every, every=every, map50=0.66 - 0.04 * every)
               for policy in ('alternate', 'kalman', 'newcomer') for every in (2, 3)]
    differences = [
        {'read_share': share, 'p': 0.7, 'versus': name, 'difference': d, 'low': d - 0.02,
         'high': d + 0.02}
        for share in (0.5, 0.25)
        for name, d in (('alternate', 0.05), ('scheduled_kalman', -0.04), ('hold', 0.01))
    ]
    differences.append({**differences[0], 'versus': 'p=1'})
    return {'points': points, 'differences': differences, 'recommended': points[1],
            'provenance': {'weights': 'foda'}}


def write(folder, **files):
    """Write each value to ``name.json``; returns the paths."""
    paths = []
    for name, values in files.items():
        paths.append(folder / f'{name}.json')
        paths[-1].write_text(json.dumps(values))
    return paths
