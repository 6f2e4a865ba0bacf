"""A whole training: its phases, logs, resume, and the weights file at the end."""

from __future__ import annotations

from pathlib import Path

import torch

from ..checkpoint import save_checkpoint
from ..data.base import ClipDataset
from ..model.network import ForecastNetwork
from . import distributed
from .bank_file import bank_key, cached_bank
from .check import checked
from .config import TrainConfig
from .detector import train_detector
from .end_to_end import train_baseline, train_joint
from .feature_bank import fill_bank, Segment
from .frame_store import store_frames
from .logs import open_logs
from .phase import PhaseSetup
from .precision import MixedPrecision
from .pretrained import start_from_imagenet, start_from_weights, TRAINED_KEY
from .recipes import SchedulerRecipe
from .run_facts import claim, data_facts, provenance
from .scheduling import train_scheduler
from .temporal import train_temporal

# What a detector is made of; the other parts of its network are as they were drawn.
DETECTOR_PARTS = ('backbone', 'neck', 'fine_neck', 'head')


class Training:
    """One run: data, network, and its phases by name."""

    def __init__(
        self,
        config: TrainConfig,
        dataset: ClipDataset,
        out: Path,
        device: torch.device,
        imagenet: str | None = None,
        stills: ClipDataset | None = None,
        workers: int = 0,
        start: str | None = None,
        features: Path | None = None,
    ) -> None:
        """
        Load what training starts from.

        :param out: folder for the log, the states to resume from, and the weights.
        :param imagenet: file of the backbone's ImageNet weights.
        :param stills: still images as clips, for recipes that mix them in.
        :param workers: processes that prepare clips ahead, for the phases on images.
        :param start: weights to start from, a file or a shipped name, instead of ImageNet's.
        :param features: folder where cached features are kept for other runs that can use them.
        :raises ValueError: for data that cannot be trained on, naming the clip and the frame; for
            a folder that holds another run.
        """
        check_start(config, start, stills, device)
        out.mkdir(parents=True, exist_ok=True)
        self._features = features
        self._config, self._out, self._device, self._workers = config, out, device, workers
        self._stills = None if stills is None else checked(stills)
        self._videos = checked(dataset)
        self._log = open_logs(out, lead=distributed.rank() == 0)
        torch.manual_seed(config.seed)
        self._network = ForecastNetwork(config.model)
        self._source = (
            start_from_imagenet(self._network, imagenet) if start is None
            else start_from_weights(self._network, start)
        )
        facts = {'start': self._source, 'data set': data_facts(self._videos)}
        if self._stills is not None:
            facts['still images'] = data_facts(self._stills)
        claim(out, facts)
        if config.frames_in_memory:
            self._videos = store_frames(self._videos)

    def run(self) -> Path:
        """
        Go through the phases, from where an earlier run stopped.

        :returns: the weights file, ``out/<name>.safetensors``.
        """
        for name in self._config.phases:
            getattr(self, f'_{name}')(PhaseSetup(
                self._config, self._device, self._out / f'{name}.pt', self._log, self._workers))
        path = self._save(self._network, self._config.name)
        self._own_bank.unlink(missing_ok=True)
        return path

    def _save(
        self, network: ForecastNetwork, name: str, trained: tuple[str, ...] = ()
    ) -> Path:
        path = self._out / f'{name}.safetensors'
        if distributed.rank() == 0:
            info = {**self._config.info, **provenance(self._config, self._source)}
            if trained:
                info[TRAINED_KEY] = ' '.join(trained)
            save_checkpoint(path, network, info)
        return path

    def _detector(self, setup: PhaseSetup) -> None:
        train_detector(self._network, self._videos, setup)
        self._save(self._network, f'{self._config.name}_detector', DETECTOR_PARTS)

    def _baseline(self, setup: PhaseSetup) -> None:
        baseline = train_baseline(self._network, self._videos, self._stills, setup)
        self._save(baseline, f'{self._config.name}_baseline', DETECTOR_PARTS)

    def _joint(self, setup: PhaseSetup) -> None:
        train_joint(self._network, self._videos, self._stills, setup)

    def _temporal(self, setup: PhaseSetup) -> None:
        train_temporal(self._network, self._bank(), setup)

    def _scheduler(self, setup: PhaseSetup) -> None:
        if self._config.scheduler.steps:
            train_scheduler(self._network, self._bank(), setup)

    @property
    def _own_bank(self) -> Path:
        return self._out / 'bank.pt'

    def _bank(self) -> list[Segment]:
        """Read or fill the feature bank of the backbone and neck as they are now."""
        config, network = self._config, self._network
        key = bank_key(network, self._videos, config)
        path = self._own_bank
        if self._features is not None:
            path = self._features / f'{key[:16]}.pt'

        def fill() -> list[Segment]:
            return fill_bank(
                network, self._videos, config.temporal, config.detector.turns, config.seed,
                self._device,
            )

        return cached_bank(path, key, fill)


def check_start(
    config: TrainConfig, start: str | None, stills: ClipDataset | None, device: torch.device
) -> None:
    """
    Find what would stop a later phase, hours from now.

    :raises ValueError: says which setting of which phase.
    """
    if start is None and config.phases[0] not in ('detector', 'baseline'):
        raise ValueError(
            f'phases: {list(config.phases)} begin with a finished detector; name one with '
            '--start, or put phase detector or baseline before'
        )
    if config.mixes_stills != (stills is not None):
        raise ValueError(
            'the recipe mixes still images with the videos; name them with --stills, or set '
            'stills: 0' if stills is None else
            'still images were named, and no phase of the recipe has a share for them; set stills '
            'in baseline or joint'
        )
    for name, recipe in config.recipes.items():
        try:
            distributed.share_of(recipe.batch_size)
            if not isinstance(recipe, SchedulerRecipe):
                MixedPrecision(recipe.precision, device, config.model)
        except ValueError as error:
            raise ValueError(f'phase {name}: {error}') from error
