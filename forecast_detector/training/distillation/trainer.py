"""A whole training without labels: phases, logs, resume, and the weights file at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from ...checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ...config import StreamConfig
from ...data.base import Clip, ClipDataset
from ...data.views import ClipView
from ...engine import StreamingDetector
from ...evaluation.store import FeatureStore, OnBadFrame
from ...model.yolox.config import YoloxConfig
from ...model.yolox.network import YoloxNetwork
from ..logs import Log, open_logs
from ..run_facts import claim, data_facts, provenance, weights_digest
from .end_to_end import train_end_to_end
from .forecast import train_forecast
from .judging import train_scheduler
from .readings import Readings
from .recipe import DistillConfig, load_distill_config

PHASES: dict[str, Callable[[YoloxNetwork, Readings, DistillConfig, Path, Log], None]] = {
    'forecast': train_forecast, 'end_to_end': train_end_to_end, 'scheduler': train_scheduler,
}


Plan = Callable[[YoloxNetwork, Readings, DistillConfig], DistillConfig]
OnBad = Callable[[Clip, Exception], None]


def as_it_is(
    network: YoloxNetwork, readings: Readings, config: DistillConfig
) -> DistillConfig:
    """Train by the recipe."""
    return config


def load_start(named: str) -> Checkpoint:
    """
    Load the weights that training starts from.

    :raises ValueError: for those of another family: only YOLOX is trained without labels.
    """
    start = load_checkpoint(named)
    if not isinstance(start.network, YoloxNetwork):
        raise ValueError(
            f"{start.path}: weights of the paper's family; training without labels starts from "
            'YOLOX weights: import some with forecast-detector import, or name coco'
        )
    return start


def configure(recipe: Path, start: Checkpoint, seed: int | None = None) -> DistillConfig:
    """
    Read a recipe for the weights that training starts from.

    :param seed: instead of the recipe's.
    :raises ValueError: for unknown keys or values outside their range; names the file.
    """
    assert isinstance(start.config, YoloxConfig)
    config = load_distill_config(recipe, start.config)
    return config if seed is None else replace(config, seed=seed)


def grown(start: YoloxNetwork, config: YoloxConfig, seed: int) -> YoloxNetwork:
    """Make a network of a shape that takes over whatever fits; the rest is as it is drawn."""
    torch.manual_seed(seed)
    network = YoloxNetwork(config)
    own = network.state_dict()
    fits = {
        key: value for key, value in start.state_dict().items()
        if key in own and own[key].shape == value.shape
    }
    network.load_state_dict({**own, **fits})
    return network


def distill(
    config: DistillConfig, dataset: ClipDataset, start: Checkpoint, out: Path,
    device: torch.device, facts: Mapping[str, str] | None = None, plan: Plan = as_it_is,
    on_bad: OnBad | None = None, on_bad_frame: OnBadFrame | None = None,
) -> Path:
    """
    Train on videos without labels; goes on where an earlier run stopped.

    :param out: folder for the log, the states to resume from, and the weights.
    :param facts: what else a run that goes on has to share with the one before.
    :param plan: given network, readings and recipe; returns the recipe to train by.
    :param on_bad: called with clips that cannot be used, which are left out; without it the
        first one raises. Likewise ``on_bad_frame`` with single frames.
    :returns: the weights file, ``out/<name>.safetensors``.
    :raises ValueError: for data without frames, and for a folder that holds another run.
    """
    assert isinstance(start.network, YoloxNetwork)
    network = grown(start.network, config.model, config.seed)
    out.mkdir(parents=True, exist_ok=True)
    log = open_logs(out)
    source = f'{start.path.name} ({weights_digest([start.network])[:16]})'
    claim(out, {'start': source, 'data set': data_facts(dataset), **(facts or {})})
    readings = read_all(network, start, dataset.clips, config, device, on_bad, on_bad_frame)
    network.to(device)
    config = plan(network, readings, config)
    for name in config.phases:
        PHASES[name](network, readings, config, out / f'{name}.pt', log)
        if name == 'end_to_end' and config.trains_reader and name != config.phases[-1]:
            # What comes after learns from what the reader gives now.
            clips = readings.store.clips
            del readings  # gigabytes
            readings = read_all(network, start, clips, config, device, on_bad, on_bad_frame)
    path = out / f'{config.name}.safetensors'
    # What the weights were before stays true of what is not trained.
    info = {**start.info, **config.info, **provenance(config, source)}
    save_checkpoint(path, network, info, half=False)
    return path


def read_all(
    network: YoloxNetwork, start: Checkpoint, clips: Sequence[Clip], config: DistillConfig,
    device: torch.device, on_bad: OnBad | None = None, on_bad_frame: OnBadFrame | None = None,
) -> Readings:
    """Read every frame once, see :func:`distill`."""
    checkpoint = Checkpoint(network, config.model, start.info, start.sha256, start.path)
    detector = StreamingDetector(checkpoint, StreamConfig(), str(device), backend='torch')
    most = config.frames_a_clip
    cut = [
        ClipView(clip, range(most)) if 0 < most < len(clip) else clip
        for clip in clips if len(clip) > 1
    ]
    if not cut:
        raise ValueError(
            f'none of {len(clips)} clips has two frames: there is no motion to learn from')
    with tqdm(total=sum(map(len, cut)), desc='reading', unit='frame') as bar:
        return Readings(FeatureStore(
            detector, cut, bar.update, 8 << 30, on_bad, half=True, on_bad_frame=on_bad_frame))
