"""
What half precision changes of what reading every frame finds, and what time it saves.

    .venv/bin/python benchmarks/half_precision.py coco coco_vid ROOT [--split val] [--stride 6]

Frames are read by the backends `openvino` and `openvino_half`, frame by frame in turn: how far
the second agrees with the first (AP at an IoU of one half, all classes pooled, against what that
finds at a score of 0.4 or more), and the time of a READ.
"""

import statistics

from data_options import data_parser, opened
from tqdm import tqdm
from trimmed_input import agreement, compared, read_both

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.config import Backend
from forecast_detector.engine import StreamingDetector
from forecast_detector.policies.detector import DetectorRunner, evaluation_config
from forecast_detector.types import Policy

BACKENDS: tuple[Backend, Backend] = ('openvino', 'openvino_half')


def main() -> None:
    """Measure and print a line."""
    options = data_parser(__doc__).parse_args()
    checkpoint, config = load_checkpoint(options.weights), evaluation_config(Policy.READ)
    runners = tuple(
        DetectorRunner(StreamingDetector(checkpoint, config, 'cpu', backend=backend), config)
        for backend in BACKENDS
    )
    matches: list[tuple[float, bool]] = []
    ratios: list[float] = []
    objects = 0
    for clip in tqdm(opened(options, checkpoint.config.labels).clips, unit='clip'):
        single, half = read_both(clip, runners)  # type: ignore[arg-type]
        found, count, shares = compared(single, half)
        matches += found
        objects += count
        ratios += shares
    print(f'{objects} objects, agreement {agreement(matches, objects):.4f}, a READ takes '
          f'{statistics.median(ratios):.2f} of the time')


if __name__ == '__main__':
    main()
