"""
What each part of carrying boxes gains: fitting them to how they looked, and doubt.

    .venv/bin/python benchmarks/carrying.py coco coco_vid ROOT [--split val] [--stride 3]

Every k-th frame is read, and its boxes are carried to the others (policy ``flow``), with and
without each part. Agreement is with reading every frame (AP at an IoU of one half, against what
that finds at a score of 0.4 or more), recall is at a score of 0.3.
"""

from __future__ import annotations

from unittest.mock import patch

from data_options import data_parser, opened
from tqdm import tqdm

from forecast_detector import carrying, kept
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.points import scorer
from forecast_detector.evaluation.reference import judged_store
from forecast_detector.evaluation.rollout import run_settings, Setting
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.evaluation.sweep import carry
from forecast_detector.policies.detector import evaluation_config
from forecast_detector.scoring.judging import Judging
from forecast_detector.types import Policy

PERIODS = (2, 4, 8)
REFERENCE_SCORE = 0.4
# Steps that boxes are fitted in, and doubt; infinitely much of it takes nothing.
NEVER = float('inf')
VARIANTS = {
    'neither': ((), NEVER), 'fitted': (carrying.STEPS, NEVER),
    'doubted': ((), kept.DOUBT), 'both': (carrying.STEPS, kept.DOUBT),
}


def main() -> None:
    """Measure and print a table."""
    options = data_parser(__doc__).parse_args()
    checkpoint = load_checkpoint(options.weights)
    labels, config = checkpoint.config.labels, evaluation_config(Policy.READ)
    detector = StreamingDetector(checkpoint, config, 'cpu')
    clips = opened(options, labels).clips
    with tqdm(total=sum(map(len, clips)), desc='reading', unit='frame') as bar:
        store = FeatureStore(detector, clips, bar.update)
    store = judged_store(store, REFERENCE_SCORE)
    judge = scorer(store.clips, labels, Judging(reading=REFERENCE_SCORE)).judge
    print('| READ every | carried boxes | agreement | recall |\n|---|---|---|---|')
    for every in PERIODS:
        read = run_settings(store, [Setting(config, every=every)])[0]
        for name, (steps, doubt) in VARIANTS.items():
            with patch.object(carrying, 'STEPS', steps), patch.object(kept, 'DOUBT', doubt):
                runs = carry(store, Policy.FLOW.value, read, every)
            judged = judge([[step.detections for step in run.steps] for run in runs])
            print(f'| {every} | {name} | {judged.metrics.agreement50:.3f} | '
                  f'{judged.found.recall50:.3f} |', flush=True)


if __name__ == '__main__':
    main()
