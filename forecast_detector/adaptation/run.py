"""A whole adaptation: learn from the first four fifths, judge by the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
import json
from pathlib import Path

import torch
from tqdm import tqdm

from ..checkpoint import Checkpoint, load_checkpoint
from ..config import StreamConfig
from ..data.base import Clip, ClipDataset
from ..engine import StreamingDetector
from ..evaluation.provenance import origin
from ..evaluation.reference import judged_store
from ..evaluation.store import FeatureStore, OnBadFrame
from ..evaluation.timing import Stopwatch
from ..evaluation.trade_off import Wish
from ..model.yolox.config import YoloxConfig
from ..model.yolox.network import YoloxNetwork
from ..records.adaptation import Adaptation, AdaptedShare, AdaptedTo
from ..records.evaluation import Provenance
from ..scoring.judging import Judging
from ..training.distillation.readings import Readings
from ..training.distillation.recipe import DistillConfig
from ..training.distillation.trainer import distill
from ..training.run_facts import hash_facts
from ..types import Policy
from . import plan
from .compare import check_reading, compare, Compared, Comparison, FINER, SHARES
from .recordings import CutRecording, digest, stretches
from .verdict import judge

# Frames of a stretch; and of how many, about, is learnt, and judged by.
LEARNT_STRETCH, LEARNT_MOST = 120, 1600
ASIDE_STRETCH, ASIDE_MOST = 60, 600
MEMORY_BYTES = 2 << 30
OnBad = Callable[[Clip, Exception], None]


@dataclass(frozen=True)
class Asked:
    """
    What a user wants.

    :ivar minutes: of training, at most; None: as the recipe says.
    :ivar judging: by reading; ``policy``: of streams, one that takes p.
    :ivar on_bad: called with recordings that cannot be used; ``on_bad_frame`` with frames.
    """

    wish: Wish
    judging: Judging
    minutes: float | None
    device: torch.device
    policy: Policy
    say: Callable[[str], None] = lambda text: None
    on_bad: OnBad | None = None
    on_bad_frame: OnBadFrame | None = None


@dataclass(frozen=True)
class Adapted:
    """
    What came of it.

    :ivar trained: the weights; :func:`~.files.keep` writes them, with what was found.
    """

    trained: Checkpoint
    found: Adaptation


def with_start(config: DistillConfig, checkpoint: Checkpoint) -> DistillConfig:
    """
    Keep the shape of weights that were trained before; only what they lack is added.

    :raises ValueError: for a recipe that changes what READs do.
    """
    start = checkpoint.config
    assert isinstance(start, YoloxConfig)
    model = replace(
        config.model, correction=start.correction or config.model.correction,
        scheduler=start.scheduler or config.model.scheduler,
    )
    if replace(model, correction=start.correction, scheduler=start.scheduler,
               trust=start.trust) != start:
        raise ValueError(
            f'recipe {config.name}: sets peek of the model; adapting leaves READs as '
            'they are, so only correction, scheduler and trust may be set')
    if config.trains_reader:
        raise ValueError(
            f'recipe {config.name}: end_to_end trains the reader; adapting leaves READs as they '
            'are, so its steps must be 0')
    judge = config.scheduler
    if start.scheduler:
        # It goes on from judgements that are patient already.
        judge = replace(judge, errors=judge.errors * judge.patience, patience=1.0)
    return replace(config, model=model, scheduler=judge)


def for_policy(config: DistillConfig, policy: Policy) -> DistillConfig:
    """Leave out of a recipe what a policy does not need: where boxes are carried, F rests."""
    if not policy.carries:
        return config
    return replace(config, phases=tuple(one for one in config.phases if one != 'forecast'))


def adapt(
    start: Checkpoint, config: DistillConfig, recordings: Sequence[CutRecording], asked: Asked,
    state: Path,
) -> Adapted:
    """
    Train on the first four fifths of recordings, and compare on the last.

    :param state: folder of the states; a run that was stopped goes on from there.
    :raises ValueError: where reading finds nothing, and for a folder of another run.
    """
    hashes = _hash_all(recordings)
    watch = Stopwatch()
    trained, aside = _train(start, config, recordings, hashes, asked, state)
    seconds = watch.seconds('train')['train_s']
    comparison, about = _compare(start, trained, aside, asked)
    verdict = judge(comparison, asked.wish)
    return Adapted(trained, Adaptation(
        helps=verdict.helps, verdict=verdict.text,
        judged_at=verdict.row.share if verdict.row else None,
        recommended=verdict.row.after.record() if verdict.row and verdict.helps else None,
        rows=[_row(one) for one in comparison.rows], unmet_shares=list(comparison.unmet),
        recordings=_named(recordings, hashes), steps=_steps(trained), train_s=seconds,
        provenance=about,
    ))


def _train(
    start: Checkpoint, config: DistillConfig, recordings: Sequence[CutRecording],
    hashes: Sequence[str], asked: Asked, state: Path,
) -> tuple[Checkpoint, FeatureStore]:
    """
    Learn from the first four fifths.

    :returns: the weights, and what is kept aside, which is read before anything is trained: where
        there is nothing to judge by, training would be in vain.
    """
    learnt = stretches(((r.clip, r.learnt) for r in recordings), LEARNT_STRETCH, LEARNT_MOST)
    aside: list[FeatureStore] = []

    def fit(network: YoloxNetwork, readings: Readings, recipe: DistillConfig) -> DistillConfig:
        _check_readings(readings, asked.judging)
        aside.append(_read_aside(start, recordings, asked))
        planned = plan.fitted(network, readings, recipe, asked.minutes, state)
        steps = ' and '.join(
            str(getattr(planned.config, phase).steps) for phase in planned.config.phases
            if phase in ('forecast', 'scheduler'))
        done = f', of the first of which {planned.done} are taken' if planned.done else ''
        asked.say(f'training of {steps} steps{done}: about {planned.minutes:.1f} min in all')
        return planned.config

    facts = {'recordings': hash_facts({'sha256': list(hashes)})}
    path = distill(config, ClipDataset((), learnt), start, state, asked.device, facts, fit,
                   asked.on_bad, asked.on_bad_frame)
    trained = load_checkpoint(path)
    _check_reads(start, trained)
    return trained, aside[0]


def _steps(trained: Checkpoint) -> dict[str, int]:
    """Say how many steps each phase has trained, those of earlier runs included."""
    recipe = json.loads(trained.info['recipe'])
    return {phase: recipe[phase]['steps'] for phase in recipe['phases'] if recipe[phase]['steps']}


def _check_readings(readings: Readings, judging: Judging) -> None:
    """:raises ValueError: if there is no object to learn from."""
    score = judging.reading or 0.0
    if not any(len(one.above(score)) for one in readings.detections):
        raise ValueError(
            f'reading finds no object of score {score:g} or more in these recordings: there is '
            'nothing to learn from; record what the robot is to see, or lower --reference-score')


def _check_reads(start: Checkpoint, trained: Checkpoint) -> None:
    """:raises RuntimeError: if training changed what reading gives; it must not."""
    before, after = start.network.state_dict(), trained.network.state_dict()
    changed = [
        key for key in before if key.startswith(('backbone.', 'head.'))
        and not key.endswith('num_batches_tracked') and not torch.equal(before[key], after[key])
    ]
    if changed:
        raise RuntimeError(f'training changed what reading is made of, first {changed[0]}')


def _detector(weights: Checkpoint, asked: Asked) -> StreamingDetector:
    return StreamingDetector(weights, StreamConfig(), str(asked.device), backend='torch')


def _read_aside(
    start: Checkpoint, recordings: Sequence[CutRecording], asked: Asked
) -> FeatureStore:
    """
    Read the last fifths, once for both: they read the same.

    :raises ValueError: if there is no object to judge by.
    """
    aside = stretches(((r.clip, r.aside) for r in recordings), ASIDE_STRETCH, ASIDE_MOST)
    with tqdm(unit='frame', desc='kept aside') as bar:
        store = FeatureStore(_detector(start, asked), aside, bar.update, MEMORY_BYTES,
                             asked.on_bad, on_bad_frame=asked.on_bad_frame)
        store = judged_store(store, asked.judging.reading or 0.0, bar.update)
    check_reading(store)
    return store


def _compare(
    start: Checkpoint, trained: Checkpoint, store: FeatureStore, asked: Asked
) -> tuple[Comparison, Provenance]:
    """
    Judge both by the last fifths.

    :param store: of these, by the start.
    """
    old, new = store.detector, _detector(trained, asked)
    more = FINER if asked.wish.share is None else (asked.wish.share,)
    shares = sorted({*SHARES, *more}, reverse=True)
    with tqdm(unit='frame', desc='before and after') as bar:
        found = compare(store, store.seen_by(new), shares, old.labels, asked.judging,
                        asked.policy, bar.update)
    return found, {
        **origin(str(start.path), start.sha256, old), 'policy': asked.policy.value,
        'reference': 'read', 'reference_score': asked.judging.reading,
        'score_threshold': asked.judging.threshold,
        'aside_frames': sum(len(clip) for clip in store.clips),
        'stretches': len(store.clips),
    }


def _row(one: Compared) -> AdaptedShare:
    ends = (one.interval.low, one.interval.high) if one.interval else (None, None)
    return AdaptedShare(
        read_share=one.share, before=one.before.record(), after=one.after.record(),
        gain=one.gain, low=ends[0], high=ends[1])


def _hash_all(recordings: Sequence[CutRecording]) -> list[str]:
    return [digest(one.path) for one in tqdm(recordings, desc='hashing', unit='recording')]


def _named(recordings: Sequence[CutRecording], hashes: Sequence[str]) -> list[AdaptedTo]:
    return [
        AdaptedTo(
            name=one.clip.name, sha256=sha256, frames=len(one.clip),
            seconds=(one.clip.stamp_ns(len(one.clip) - 1) - one.clip.stamp_ns(0)) / 1e9,
            learnt=len(one.learnt), aside=len(one.aside),
        ) for one, sha256 in zip(recordings, hashes)
    ]
