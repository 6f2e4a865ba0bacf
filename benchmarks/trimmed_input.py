"""
What an input of the images' own shape saves, and what it changes.

    .venv/bin/python benchmarks/trimmed_input.py coco coco_vid ROOT [--split val] [--stride 6]

YOLOX lays an image into the top left of a square and fills the rest with grey (`corner`). Here
images are read so, and without the rows and columns of grey (`trim`): agreement with the square
(AP at an IoU of one half, all classes pooled, against what that finds at a score of 0.4 or more),
and the time of a READ, frame by frame in turn.
"""

import statistics

from data_options import data_parser, opened
import numpy as np

from forecast_detector.boxes import Geometry
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.config import Resize
from forecast_detector.data.base import Clip, Truth
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.reference import as_truths
from forecast_detector.policies.detector import DetectorRunner, evaluation_config
from forecast_detector.policies.step import Step
from forecast_detector.scoring.average_precision import average_precision
from forecast_detector.scoring.matching import match_frame, Rule
from forecast_detector.types import Detections, Policy

SCORE = 0.4
WAYS: tuple[Resize, Resize] = ('corner', 'trim')


def read_both(clip: Clip, runners: tuple[DetectorRunner, DetectorRunner]) -> list[list[Step]]:
    """Read every frame one way, then the other; returns the steps of each."""
    steps: list[list[Step]] = [[], []]
    for runner in runners:
        runner.start(clip)
    for index in clip.walk():
        for runner, own in zip(runners, steps):
            own.append(runner.step(clip.frame(index)))
    clip.release()
    return steps


def matched(found: list[Detections], truths: list[Truth]) -> list[tuple[float, bool]]:
    """Give score and success of each detection."""
    return [
        (float(score), bool(hit >= 0)) for one, truth in zip(found, truths)
        for score, hit in zip(one.scores, match_frame(one, truth, Rule.PLAIN)[0])
    ]


def compared(
    reference: list[Step], other: list[Step]
) -> tuple[list[tuple[float, bool]], int, list[float]]:
    """Give matches of the other's detections, objects to find, and shares of the times."""
    truths = as_truths([step.detections for step in reference], SCORE)
    matches = matched([step.detections for step in other], truths)
    # The first step of each warms up.
    ratios = [b.latency_ms / a.latency_ms for a, b in zip(reference[1:], other[1:])]
    return matches, sum(map(len, truths)), ratios


def agreement(matches: list[tuple[float, bool]], objects: int) -> float:
    """Give the average precision of detections, all classes pooled."""
    hits = np.array([found for _, found in sorted(matches, key=lambda one: -one[0])], float)
    return float(average_precision(hits, 1 - hits, objects))


def main() -> None:
    """Measure and print a table."""
    options = data_parser(__doc__).parse_args()
    checkpoint = load_checkpoint(options.weights)
    config = evaluation_config(Policy.READ)
    all_matches: list[tuple[float, bool]] = []
    all_objects, all_ratios = 0, []
    print(f'{"clip":24}{"input":>10}{"objects":>9}{"agreement":>11}{"time":>8}')
    for clip in opened(options, checkpoint.config.labels).clips:
        runners = tuple(
            DetectorRunner(StreamingDetector(checkpoint, config, 'cpu', None, resize), config)
            for resize in WAYS
        )
        whole, trim = read_both(clip, runners)  # type: ignore[arg-type]
        matches, objects, ratios = compared(whole, trim)
        height, width = clip.frame(0).load().shape[:2]
        fitted = Geometry.fit((width, height), checkpoint.config.input_size, 'trim')
        size = '{}x{}'.format(*fitted.input_size)
        share = f'{agreement(matches, objects):11.4f}' if objects else f'{"-":>11}'
        print(f'{clip.name[-24:]:24}{size:>10}{objects:9}{share}{statistics.median(ratios):8.2f}')
        all_matches += matches
        all_objects += objects
        all_ratios += ratios
    print(f'{"all":24}{"":10}{all_objects:9}{agreement(all_matches, all_objects):11.4f}'
          f'{statistics.median(all_ratios):8.2f}')


if __name__ == '__main__':
    main()
