"""COCO's mean average precision over IoU 0.50 to 0.95, by its own library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
import io
from typing import Any

import numpy as np

from ..boxes import area, xyxy_to_xywh
from ..data.base import Truth
from ..types import Detections
from .dump import results
from .metrics import ScoredClip

Pair = tuple[Detections, Truth]
# The library takes a dictionary a box: in portions, so that long recordings stay small.
PORTION = 500
# What it needs of an image to accumulate.
KEPT = ('dtScores', 'dtMatches', 'dtIgnore', 'gtIgnore')


def map50_95(clips: Sequence[ScoredClip], labels: Sequence[str]) -> float | None:
    """
    Mean average precision over the thresholds 0.50, 0.55 … 0.95 (101 points, COCO).

    Frames that were not annotated are left out; crowds are COCO's ``iscrowd``.

    :returns: [0, 1]; None where there is no object.
    :raises RuntimeError: if pycocotools is not installed.
    """
    try:
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise RuntimeError(
            'map50_95 is computed by pycocotools, which is not installed; '
            "pip install 'forecast_detector[eval]'"
        ) from error
    frames = [
        pair for clip in clips for pair in zip(clip.detections, clip.truths) if pair[1].annotated
    ]
    if not any(len(truth) for _, truth in frames):
        return None
    by_class: list[list[Any]] = [[] for _ in labels]
    with redirect_stdout(io.StringIO()):
        for start in range(0, len(frames), PORTION):
            portion = frames[start:start + PORTION]
            images = _evaluated(portion, labels)
            for k, kept in enumerate(by_class):
                kept += images[k * len(portion):(k + 1) * len(portion)]
        whole = COCOeval(iouType='bbox')
        whole.params = _parameters(len(frames), len(labels))
        whole._paramsEval = whole.params
        whole.evalImgs = [image for kept in by_class for image in kept]
        whole.accumulate()
    precision = whole.eval['precision']
    return float(precision[precision > -1].mean())


def _parameters(images: int, classes: int) -> Any:
    """Ask for boxes of all sizes, at most 100 detections of a class in an image."""
    from pycocotools.cocoeval import Params

    parameters = Params(iouType='bbox')
    parameters.imgIds = list(range(1, images + 1))
    parameters.catIds = list(range(1, classes + 1))
    parameters.areaRng, parameters.areaRngLbl = [[0, 1e10]], ['all']
    parameters.maxDets = [100]
    return parameters


def _evaluated(frames: Sequence[Pair], labels: Sequence[str]) -> list[Any]:
    """Match some frames; what is kept of each, class by class, None where there is nothing."""
    from pycocotools.cocoeval import COCOeval

    truths, found = _as_coco(frames, len(labels))
    evaluation = COCOeval(_index(truths), _index(found), 'bbox')
    evaluation.params = _parameters(len(frames), len(labels))
    evaluation.evaluate()
    return [image and _lean(image) for image in evaluation.evalImgs]


def _lean(image: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: image[name] for name in KEPT}
    kept['dtMatches'] = np.asarray(kept['dtMatches']) > 0
    kept['dtScores'] = np.asarray(kept['dtScores'], np.float64)
    return kept


def _index(dataset: dict[str, Any]) -> Any:
    from pycocotools.coco import COCO

    table = COCO()
    table.dataset = dataset
    table.createIndex()
    return table


def _as_coco(
    frames: Sequence[Pair], classes: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Number the images 1, 2 … and write truth and detections in COCO's form."""
    categories = {label: label + 1 for label in range(classes)}
    found: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (detections, truth) in enumerate(frames, start=1):
        for row in results(image_id, detections, categories):
            size = row['bbox'][2] * row['bbox'][3]
            found.append({**row, 'id': len(found) + 1, 'area': size, 'iscrowd': 0})
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
    shared = {
        'info': {}, 'images': [{'id': image_id} for image_id in range(1, len(frames) + 1)],
        'categories': [{'id': i} for i in categories.values()],
    }
    return {**shared, 'annotations': annotations}, {**shared, 'annotations': found}
