"""
Does a budget hold its target when the load doubles, and what does it lose beside fixed p?

    .venv/bin/python benchmarks/budget.py WEIGHTS DATASET [ROOT] [--target 0.25] [--stride 3]

The first half of a clip is one stream; in its second half the next clip joins in. One line with
the budget: READ share of each half, and mAP@0.5 over all frames. One line with fixed p, which is
chosen afterwards so that the share of all frames is the same.
"""

from __future__ import annotations

from data_options import data_parser, opened
import numpy as np

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.config import StreamConfig
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.run import scored
from forecast_detector.evaluation.store import FeatureStore, StoredClip
from forecast_detector.policies.detector import evaluation_config
from forecast_detector.scoring.average_precision import mean_average_precision
from forecast_detector.scoring.matching import Rule
from forecast_detector.scoring.metrics import ALL, outcomes, ScoredClip
from forecast_detector.types import Action, Budget, Detections, Policy

Reads = tuple[list[bool], list[bool]]


def run(
    detector: StreamingDetector, clips: list[StoredClip], config: StreamConfig
) -> tuple[Reads, list[ScoredClip]]:
    """Run pairs of clips, the second from the middle of the first on."""
    reads: Reads = ([], [])
    results = []
    detector = detector.variant()
    detector.config = config
    for one, other in zip(clips[::2], clips[1::2]):
        half = len(one) // 2
        found: dict[str, list[Detections]] = {'one': [], 'other': []}
        for index in range(len(one)):
            frames = {'one': one.frame(index)}
            if half <= index < half + len(other):
                frames['other'] = other.frame(index - half)
            for name, result in detector.step(frames).items():
                found[name].append(result.or_raise().detections)
                reads[index >= half].append(result.or_raise().decision.action is Action.READ)
        detector.forget('one')
        detector.forget('other')
        rest = [Detections()] * (len(other) - len(found['other']))
        results += [scored(one, found['one']), scored(other, found['other'] + rest)]
    return reads, results


def fixed(
    detector: StreamingDetector, clips: list[StoredClip], share: float, config: StreamConfig
) -> tuple[Reads, list[ScoredClip], float]:
    """Find the p that reads such a share, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(7):
        p = (low + high) / 2
        reads, results = run(detector, clips, config.replace(p=p, budget=Budget.NONE))
        low, high = (p, high) if np.mean(reads[0] + reads[1]) < share else (low, p)
    return reads, results, p


def main() -> None:
    """Measure and print."""
    parser = data_parser(__doc__)
    parser.add_argument('--target', type=float, default=0.25)
    parser.add_argument('--p', type=float, default=StreamConfig().p, help='to begin with')
    parser.add_argument('--clips', type=int)
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.weights)
    data = opened(options, checkpoint.config.labels)
    store = FeatureStore(
        StreamingDetector(checkpoint, device='cpu'), data.clips[:options.clips])
    clips = [StoredClip(store, at) for at in range(len(store.clips))]
    detector = store.streaming()
    config = evaluation_config(Policy.SCHEDULER, options.p).replace(
        budget=Budget.READ_SHARE, budget_target=options.target)

    def show(name: str, reads: Reads, results: list[ScoredClip]) -> None:
        judged = outcomes(results, len(data.labels), Rule.PLAIN, ())[ALL]
        value = mean_average_precision(judged)
        print(f'{name:24} {np.mean(reads[0]):.3f} {np.mean(reads[1]):.3f} '
              f'{np.mean(reads[0] + reads[1]):.3f}  mAP {value:.4f}', flush=True)

    print(f'{"":24} alone  two    all')
    reads, results = run(detector, clips, config)
    show(f'budget {options.target:g}', reads, results)
    *found, p = fixed(detector, clips, float(np.mean(reads[0] + reads[1])), config)
    show(f'fixed p = {p:.3f}', *found)


if __name__ == '__main__':
    main()
