"""
How well objects keep their numbers over frames, and what that costs.

    .venv/bin/python benchmarks/identities.py coco coco_vid ROOT [--stride 3] [--p 0.6] [--clips 6]

Of a data set with tracks: boxes found, switches of number (`switched`), numbers that went on to
another object (`shared`), and how often an object was lost for a while; and milliseconds a frame.
"""

import statistics
import time

from data_options import data_parser, opened

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.config import StreamConfig
from forecast_detector.data.base import Clip
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.run import ClipRun, run_clip
from forecast_detector.policies.detector import DetectorRunner, evaluation_config
from forecast_detector.scoring.identity import Identities
from forecast_detector.tracking import Tracker
from forecast_detector.types import Policy

SCORE = 0.3


def follow(run: ClipRun, clip: Clip, times: list[float]) -> Identities:
    """Number the objects of a clip, beside its truth."""
    tracker, figures = Tracker(), Identities()
    for index, step in enumerate(run.steps):
        start = time.perf_counter()
        numbered = tracker.follow(step.detections)
        times.append(1e3 * (time.perf_counter() - start))
        figures.add(numbered, clip.truth(index))
    return figures


def main() -> None:
    """Measure and print a table."""
    parser = data_parser(__doc__)
    parser.add_argument('--p', type=float, default=StreamConfig().p)
    parser.add_argument('--policy', default='scheduler')
    parser.add_argument('--clips', type=int)
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.weights)
    data = opened(options, checkpoint.config.labels)
    config = evaluation_config(Policy(options.policy), options.p, score_threshold=SCORE)
    runner = DetectorRunner(StreamingDetector(checkpoint, device='cpu'), config)
    times: list[float] = []
    total = [0, 0, 0, 0]
    print(f'{"clip":24}{"found":>7}{"switched":>10}{"shared":>8}{"lost":>6}')
    for clip in data.clips[:options.clips]:
        one = follow(run_clip(runner, clip), clip, times)
        clip.release()
        row = [one.found, one.switches, one.shared, one.lost]
        total = [a + b for a, b in zip(total, row)]
        print('{:24}{:7}{:10}{:8}{:6}'.format(clip.name[-24:], *row))
    print('{:24}{:7}{:10}{:8}{:6}'.format('all', *total))
    print(f'{statistics.median(times):.3f} ms a frame, at most {max(times):.3f} ms')


if __name__ == '__main__':
    main()
