"""
How much choosing READs well could gain at all, where boxes are carried between them.

    .venv/bin/python benchmarks/best_reads.py coco coco_vid ROOT [--split val] [--stride 3]

From each frame as a READ boxes are carried to the next ones (policy ``scheduled_flow``), and what
reading these would have said counts their errors: objects missed and made up. Then READs are
chosen at the same share in four ways: at even distances; by the scheduler, as streams do it; by
the same rule where the errors themselves are known up to the frame in question; and at best, with
all errors of all runs known beforehand. The last two are no detectors: they say what there is to
gain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import math
from typing import NamedTuple

from data_options import data_parser, opened
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.data.base import Clip
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.points import scorer
from forecast_detector.evaluation.reference import judged_store
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.policies.detector import evaluation_config
from forecast_detector.scoring.judging import Judging
from forecast_detector.training.distillation.judging import count_errors
from forecast_detector.training.distillation.recipe import JudgeRecipe
from forecast_detector.types import Detections, Frame, Policy, StepResult

PERIODS = (2, 4, 6, 8)
REFERENCE_SCORE = 0.4
# Boxes are carried no further.
LONGEST = 24
# Of errors by the age of boxes: else many choices are as good, and no share can be aimed at.
AGE_COST = 0.01
Costs = NDArray[np.float64]
# For each clip the frames that are read.
Reads = Sequence[Sequence[int]]
# Chooses them; the larger the number the fewer.
Chooser = Callable[[float], Reads]


class Carried(NamedTuple):
    """
    What carrying gives in a clip.

    :ivar found: by the frame that was read, and the frame boxes were carried to.
    :ivar errors: (frames, frames) likewise; ``doubts``: -log of the scheduler's confidence.
    """

    found: dict[tuple[int, int], Detections]
    errors: Costs
    doubts: Costs

    @property
    def frames(self) -> int:
        """Count the frames."""
        return len(self.errors)


def carry(detector: StreamingDetector, clip: Clip, report: Callable[[int], object]) -> Carried:
    """Read each frame of a clip, and carry its boxes to those that follow."""
    found, confidences = {}, {}
    for now in range(len(clip)):
        frame = clip.frame(now)
        image, reads = frame.load(), range(max(0, now - LONGEST), now + 1)
        detector.forget(str(reads[0] - 1))
        steps = detector.step({
            str(read): Frame.from_array(image, frame.stamp_ns) for read in reads
        })
        for read in reads:
            step = steps[str(read)]
            assert isinstance(step, StepResult)
            found[read, now], confidences[read, now] = step.detections, step.decision.confidence
        report(1)
    for read in range(len(clip)):
        detector.forget(str(read))
    errors, doubts = np.zeros((2, len(clip), len(clip)))
    for (read, now), carried in found.items():
        if read < now:
            errors[read, now] = AGE_COST * (now - read) + count_errors(
                carried, found[now, now], JudgeRecipe())
            doubts[read, now] = -math.log(max(confidences[read, now], 1e-9))
    return Carried(found, errors, doubts)


def accumulated(costs: Sequence[Costs]) -> Chooser:
    """Read where the costs of a run would exceed a number, as the scheduler's rule has it."""
    def choose(most: float) -> Reads:
        chosen = []
        for cost in costs:
            reads = [0]
            for now in range(1, len(cost)):
                run = cost[reads[-1], reads[-1] + 1:now + 1]
                if len(run) > LONGEST or run.sum() > most:
                    reads.append(now)
            chosen.append(reads)
        return chosen

    return choose


def best(costs: Sequence[Costs]) -> Chooser:
    """Read where all costs together, a READ's included, are least."""
    def choose(of_read: float) -> Reads:
        return [_least(cost, of_read) for cost in costs]

    return choose


def _least(cost: Costs, of_read: float) -> list[int]:
    """Find the cheapest way through a clip, from its end on."""
    count, carried = len(cost), np.cumsum(cost, axis=1)
    rest, after = np.zeros(count + 1), np.zeros(count, int)
    for read in reversed(range(count)):
        following = np.arange(read + 1, min(count, read + 1 + LONGEST) + 1)
        total = of_read + carried[read, following - 1] + rest[following]
        rest[read], after[read] = total.min(), following[total.argmin()]
    reads = [0]
    while after[reads[-1]] < count:
        reads.append(int(after[reads[-1]]))
    return reads


def at_share(chooser: Chooser, share: float, frames: int) -> Reads:
    """Find the choice whose share of READs is nearest, by halving an interval."""
    least, most = 0.0, 1000.0
    choices = []
    for _ in range(40):
        middle = (least + most) / 2
        choices.append(chooser(middle))
        if share_of(choices[-1], frames) > share:
            least = middle
        else:
            most = middle
    return min(choices, key=lambda reads: abs(share_of(reads, frames) - share))


def share_of(reads: Reads, frames: int) -> float:
    """Say which share of all frames is read."""
    return sum(map(len, reads)) / frames


def answers(one: Carried, reads: Sequence[int]) -> list[Detections]:
    """Give what a clip's frames get, by the frames that are read."""
    last = np.searchsorted(reads, np.arange(one.frames), side='right') - 1
    return [one.found[reads[index], now] for now, index in enumerate(last)]


def main() -> None:
    """Measure and print a table."""
    options = data_parser(__doc__).parse_args()
    checkpoint = load_checkpoint(options.weights)
    labels = checkpoint.config.labels
    never = evaluation_config(Policy.SCHEDULED_FLOW).replace(p=0.0, accumulate=False)
    detector = StreamingDetector(checkpoint, never, 'cpu')
    clips = opened(options, labels).clips
    frames = sum(map(len, clips))
    with tqdm(total=2 * frames, desc='reading and carrying', unit='frame') as bar:
        read_all = StreamingDetector(checkpoint, evaluation_config(Policy.READ), 'cpu')
        store = judged_store(FeatureStore(read_all, clips, bar.update), REFERENCE_SCORE)
        carried = [carry(detector, clip, bar.update) for clip in clips]
    judge = scorer(store.clips, labels, Judging(reading=REFERENCE_SCORE)).judge
    ways = {
        'the scheduler': accumulated([one.doubts for one in carried]),
        'the same rule, errors known': accumulated([one.errors for one in carried]),
        'at best': best([one.errors for one in carried]),
    }
    print('| READ share | chosen | agreement | recall |\n|---|---|---|---|')
    for every in PERIODS:
        even = [range(0, one.frames, every) for one in carried]
        chosen = {'at even distances': even, **{
            name: at_share(way, share_of(even, frames), frames) for name, way in ways.items()
        }}
        for name, reads in chosen.items():
            judged = judge([answers(*both) for both in zip(carried, reads)])
            print(f'| {share_of(reads, frames):.3f} | {name} | '
                  f'{judged.metrics.agreement50:.3f} | {judged.found.recall50:.3f} |', flush=True)


if __name__ == '__main__':
    main()
