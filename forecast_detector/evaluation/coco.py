"""COCO's mean average precision over IoU 0.50 to 0.95, by its own library."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
import io
from typing import Any

import numpy as np

from ..boxes import area, xyxy_to_xywh
from .dump import results
from .metrics import ScoredClip


def map50_95(clips: Sequence[ScoredClip], labels: Sequence[str]) -> float | None:
    """
    Mean average precision over the thresholds 0.50, 0.55 … 0.95 (101 points, COCO).

    Frames that were not annotated are left out; crowds are COCO's ``iscrowd``.

    :returns: [0, 1]; None where there is no object.
    :raises RuntimeError: if pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise RuntimeError(
            'map50_95 is computed by pycocotools, which is not installed; '
            "pip install 'forecast_detector[eval]'"
        ) from error
    truth, found = _as_coco(clips, labels)
    if all(row['iscrowd'] for row in truth['annotations']):
        return None
    if not found:
        return 0.0
    with redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = truth
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(found), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def _as_coco(
    clips: Sequence[ScoredClip], labels: Sequence[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Number the images 1, 2 … and write truth and results in COCO's form."""
    categories = {label: label + 1 for label in range(len(labels))}
    frames = [
        pair for clip in clips for pair in zip(clip.detections, clip.truths) if pair[1].annotated
    ]
    found: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (detections, truth) in enumerate(frames, start=1):
        found += results(image_id, detections, categories)
        for crowd, corners, labelled in (
            (0, truth.boxes, truth.labels), (1, truth.crowd_boxes, truth.crowd_labels),
        ):
            boxes = corners.astype(np.float64)
            for box, size, label in zip(xyxy_to_xywh(boxes), area(boxes), labelled):
                annotations.append({
                    'id': len(annotations) + 1, 'image_id': image_id, 'iscrowd': crowd,
                    'category_id': categories[int(label)], 'bbox': box.tolist(),
                    'area': float(size),
                })
    return {
        'info': {},
        'images': [{'id': image_id} for image_id in range(1, len(frames) + 1)],
        'annotations': annotations,
        'categories': [{'id': i, 'name': labels[label]} for label, i in categories.items()],
    }, found
