"""
A YOLOX that was imported beside its ONNX file, run by ONNX Runtime: raw outputs, and COCO's AP.

    pip install onnxruntime
    .venv/bin/python benchmarks/onnx_agreement.py yolox_nano.onnx nano.safetensors IMAGES COCO.json

ONNX Runtime is given images as YOLOX prepares them, and its outputs are suppressed as YOLOX does.
Categories of the JSON, by rising id, are the classes in their order.
"""

from collections import defaultdict
import contextlib
import io
import json
from pathlib import Path
import sys

import cv2
import numpy as np
import onnxruntime
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
import torch

from forecast_detector import Frame, load_checkpoint, StreamConfig, StreamingDetector
from forecast_detector.boxes import xyxy_to_xywh
from forecast_detector.model.yolox.decoding import GridDecoding

SCORE, IOU, MOST, RAW_IMAGES = 0.001, 0.65, 300, 16


def lay(bgr, size, interpolation):
    """Resize an image as YOLOX does; returns it, and the same in the network's input."""
    scale = min(size[0] / bgr.shape[0], size[1] / bgr.shape[1])
    laid = cv2.resize(bgr, (int(bgr.shape[1] * scale), int(bgr.shape[0] * scale)),
                      interpolation=interpolation)
    canvas = np.full((*size, 3), 114, np.uint8)
    canvas[:laid.shape[0], :laid.shape[1]] = laid
    return laid, canvas.transpose(2, 0, 1)[None].astype(np.float32)


def suppressed(output, grid, scale):
    """Make boxes, scores and labels of raw outputs."""
    cells, strides = grid.cells.numpy(), grid.strides.numpy()
    centre, size = (output[:, :2] + cells) * strides, np.exp(output[:, 2:4]) * strides
    boxes = np.concatenate([centre - size / 2, centre + size / 2], 1) / scale
    labels = output[:, 5:].argmax(1)
    scores = output[:, 4] * output[np.arange(len(output)), 5 + labels]
    keep = scores >= SCORE
    boxes, scores, labels = boxes[keep], scores[keep], labels[keep]
    apart = xyxy_to_xywh(boxes + labels[:, None] * 10000)
    kept = np.asarray(cv2.dnn.NMSBoxes(apart.tolist(), scores.tolist(), SCORE, IOU), int)
    return boxes[kept], scores[kept], labels[kept]


def step(detector, bgr):
    """Give boxes, scores and labels of the imported network."""
    frame = Frame.from_array(np.ascontiguousarray(bgr[..., ::-1]), 0)
    found = detector.step({'still': frame})['still'].detections
    detector.forget('still')
    return found.boxes, found.scores, found.labels


@torch.inference_mode()
def raw(network, bgr):
    """Give raw outputs of the imported network in the order of the file."""
    outputs = network.detect(network.read(torch.from_numpy(bgr).flip(1)))
    return torch.cat([
        torch.cat([one.boxes, one.objects.sigmoid(), one.classes.sigmoid()], 1).flatten(2)
        for one in outputs
    ], 2)[0].T.numpy()


def ap(annotations, detected):
    """Score detections by image; returns AP (0.50 to 0.95) in points."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(annotations)
        categories = sorted(truth.getCatIds())
        results = [
            {'image_id': image, 'category_id': categories[label], 'bbox': box, 'score': score}
            for image, found in detected.items()
            for box, score, label in zip(
                xyxy_to_xywh(found[0]).tolist(), found[1].tolist(), found[2].tolist())
        ]
        judge = COCOeval(truth, truth.loadRes(results), 'bbox')
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return 100 * judge.stats[0]


def main():
    """Compare, and print."""
    onnx_file, weights, folder, annotations = sys.argv[1:]
    session = onnxruntime.InferenceSession(onnx_file, providers=['CPUExecutionProvider'])
    checkpoint = load_checkpoint(weights)
    size = checkpoint.config.input_size
    detector = StreamingDetector(checkpoint, StreamConfig(
        p=1.0, score_threshold=SCORE, nms_iou=IOU, max_detections=MOST), 'cpu')
    grid = GridDecoding()
    found, worst = defaultdict(dict), 0.0
    for count, image in enumerate(json.loads(Path(annotations).read_text())['images']):
        bgr, key = cv2.imread(str(Path(folder) / Path(image['file_name']).name)), image['id']
        corner = np.array([bgr.shape[1], bgr.shape[0]] * 2)
        for name, kind in (('bilinear', cv2.INTER_LINEAR), ('averaging', cv2.INTER_AREA)):
            laid, given = lay(bgr, size, kind)
            output = session.run(None, {session.get_inputs()[0].name: given})[0][0]
            boxes, *rest = suppressed(output, grid, min(np.array(size) / bgr.shape[:2]))
            found[f'ONNX Runtime, {name}'][key] = boxes, *rest
            found[f'ONNX Runtime, {name}, boxes clipped'][key] = boxes.clip(0, corner), *rest
            if kind == cv2.INTER_LINEAR:
                boxes, *rest = step(detector, laid)
                scale = corner / ([laid.shape[1], laid.shape[0]] * 2)
                found['imported, bilinear'][key] = boxes * scale, *rest
        if count < RAW_IMAGES:
            worst = max(worst, np.abs(raw(detector.network, given) - output).max())
        found['imported'][key] = step(detector, bgr)
    print(f'largest difference of raw outputs, {RAW_IMAGES} images: {worst:.2g}')
    for name, detected in found.items():
        print(f'AP {ap(annotations, detected):.2f}  {name}')


if __name__ == '__main__':
    main()
