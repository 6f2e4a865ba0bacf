"""
Streaming average precision of every policy at planned step times.

It gives the table of docs/results_appendix.md.

The same simulation as ``evaluate --sap --latency …``, which also makes a plain pass; here READ
features are computed once and serve every pass. The frame rate is that of the clips' stamps.

    python benchmarks/streaming_table.py --weights foda --root $FODA --read-ms 60 --forecast-ms 12
"""

from __future__ import annotations

import argparse

import torch
from tqdm import tqdm

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.data.base import Clip, ClipDataset
from forecast_detector.data.registry import open_dataset, Place
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.store import FeatureStore, StoredClip
from forecast_detector.evaluation.streaming_ap import Latencies, stream_clip
from forecast_detector.policies.registry import make_runner
from forecast_detector.policies.step import Runner, Step
from forecast_detector.policies.table import CARRIERS
from forecast_detector.scoring.average_precision import mean_average_precision, Outcomes
from forecast_detector.scoring.bootstrap import paired_difference
from forecast_detector.scoring.matching import Rule
from forecast_detector.scoring.metrics import ALL, outcomes
from forecast_detector.types import Action, Frame

# Policy, its p or frames a READ.
POLICIES = (
    ('read', None), ('scheduler', 0.8), ('alternate', 2), ('kalman', 2), ('moved', 2), ('hold', 2),
    ('flow', 2), ('alternate', 3), ('kalman', 3), ('moved', 3), ('flow', 3),
)



class Counted:
    """Counts the steps of a runner."""

    def __init__(self, runner: Runner) -> None:
        self.runner, self.steps, self.reads = runner, 0, 0

    def start(self, clip: Clip) -> None:
        """Begin a clip."""
        self.runner.start(clip)

    def step(self, frame: Frame) -> Step:
        """Answer the next frame."""
        step = self.runner.step(frame)
        self.steps += 1
        self.reads += step.action is Action.READ
        return step


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weights', default='foda')
    parser.add_argument('--root', required=True)
    parser.add_argument('--read-ms', type=float, default=60.0)
    parser.add_argument('--forecast-ms', type=float, default=12.0)
    parser.add_argument('--every', type=int, default=1, help='take every so many clips')
    args = parser.parse_args()
    torch.set_num_threads(1)
    detector = StreamingDetector(load_checkpoint(args.weights), device='cpu')
    dataset = open_dataset('coco_vid', Place(args.root, 'val', detector.labels))
    dataset = ClipDataset(dataset.labels, dataset.clips[::args.every])
    with tqdm(total=len(dataset), desc='reading') as bar:
        store = FeatureStore(detector, dataset.clips, bar.update)
    detector = store.streaming()
    clips = [StoredClip(store, at) for at in range(len(store.clips))]
    print('| policy | answered | of them READ | sap50 | less read | sap50, anticipating | '
          'less read, anticipating |\n|---|---|---|---|---|---|---|', flush=True)
    first: list[Outcomes] = []
    for policy, setting in POLICIES:
        cells = []
        for anticipates in (False, True):
            runner = Counted(make_runner(
                policy, detector, setting if policy == 'scheduler' else 1.0,
                setting if isinstance(setting, int) else 2, anticipates,
            ))
            times = Latencies(args.read_ms, 0.0 if policy in CARRIERS else args.forecast_ms)
            streamed = [stream_clip(runner, clip, times) for clip in clips]
            judged = outcomes(streamed, len(dataset.labels), Rule.PLAIN, ())[ALL]
            cells.append((runner, mean_average_precision(judged) or 0.0, judged))
        first = first or [judged for *_, judged in cells]
        counted = cells[0][0]
        name = policy if setting is None else f'{policy} {setting}'
        print(f'| {name} | {counted.steps / len(dataset):.0%} | '
              f'{counted.reads / counted.steps:.0%} | ' + ' | '.join(
                  f'{value:.4f} | {_gap(judged, read)}'
                  for (_, value, judged), read in zip(cells, first)
              ) + ' |', flush=True)


def _gap(judged: Outcomes, read: Outcomes) -> str:
    """Write the difference from reading, in points, with its 95 % interval."""
    if judged is read:
        return ''
    gap = paired_difference(judged, read)
    low, value, high = (100 * part for part in (gap.low, gap.value, gap.high))
    return f'{value:+.1f} [{low:+.1f}, {high:+.1f}]'


if __name__ == '__main__':
    main()
