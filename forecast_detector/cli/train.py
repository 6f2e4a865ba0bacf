"""
Train weights, phase by phase as the recipe says.

A run that is stopped goes on where it was when it is started again with the same --out; SIGTERM
and Ctrl-C stop it between two steps, its state saved. On many GPUs or machines:

  torchrun --nproc-per-node 4 -m forecast_detector train ...

shares every batch among the processes; the recipe's batch_size is that of all together.

A recipe that says ``teacher: itself`` (coco) trains the forecasts and the scheduler of YOLOX
weights, --start, on videos without labels; a truth is not read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
import os
from pathlib import Path
import sys

from ..limits import MAX_THREADS
from ..training.datasets import DATASETS, STILLS
from . import options
from .command import option
from .common import DeviceOptions, stoppable
from .data import DataOptions, tell_unfinished

SEQUENCES, CACHED = {'baseline', 'joint'}, {'temporal', 'scheduler'}  # phases


@dataclass(frozen=True, kw_only=True)
class TrainCommand(DataOptions, DeviceOptions):
    """Options of ``train``."""

    config: str = option('recipe: a file, or a shipped one by name (foda)')
    dataset: str = option(
        'voc and coco are still images, made into clips; video: a video file, or a folder of '
        'videos or pictures, for recipes without labels', 'coco_vid',
        choices=(*DATASETS, 'video'))
    root: str | None = option('folder of the data set', None)
    split: str = option('bags have none', 'train')
    stills: str | None = option(
        f'still images to mix in, if the recipe has a share for them: {", ".join(STILLS)}; '
        'default for imagenet_vid: imagenet_det of the same root', None,
        metavar='NAME[=ROOT[:SPLIT]]')
    out: Path = option('folder for log, states and weights', parse=Path)
    features: Path | None = option(
        'folder that keeps the cached features, for other runs that can use them; without it '
        'they go when the run is done', None, Path, metavar='DIR')
    imagenet: str | None = option("file of the backbone's ImageNet weights", None, one_of='start')
    # torchrun takes --start for its own --start-method.
    start: str | None = option(
        'start from these weights, a file or a shipped name, with whatever fits the recipe; '
        'under torchrun only as --start-from', None, flags=['--start', '--start-from'],
        one_of='start', metavar='WEIGHTS')
    seed: int | None = option("instead of the recipe's", None, options.whole(0))
    workers: int = option('processes that prepare clips ahead, for phases baseline and joint', 2,
                          options.whole(0, most=MAX_THREADS))

    def run(self) -> int:
        """Train until the recipe is done, or a signal comes."""
        return stoppable(self._train)

    def _check(self, recipe: Path) -> None:
        """
        Find what does not go together before any data is opened.

        :raises OptionError: for options that this data set or recipe does not take.
        :raises ValueError: for a recipe that cannot be.
        """
        from ..training.config import load_train_config

        self.check_data()
        if self.dataset == 'video':
            raise options.OptionError(
                '--dataset video: has no truth, and this recipe learns from one; name a data set '
                'that has, or a recipe that trains without labels (coco)')
        # The classes are not known yet, and do not matter to it.
        phases = set(load_train_config(recipe, ('any',)).phases)
        if not phases & CACHED:
            self.refuse(['features'], 'no phase of this recipe caches features')
        if not phases & SEQUENCES:
            self.refuse(['workers'], 'only phases baseline and joint have such processes, and '
                                     'this recipe has neither; leave it out')

    def _train(self) -> int:
        from ..device import select_device
        from ..shipped import find
        from ..training import distributed
        from ..training.config import load_train_config
        from ..training.datasets import open_stills, open_training_set
        from ..training.distillation.recipe import is_distillation
        from ..training.trainer import Training

        recipe = find('recipes', self.config)
        if is_distillation(recipe):
            return self._distill(recipe)
        self._check(recipe)
        with distributed.process_group(self.device) as name:
            device, note = select_device(name)
            print(note, file=sys.stderr)
            dataset = open_training_set(self.dataset, self.root, self.split, bags=self.bags)
            tell_unfinished(dataset.clips)
            config = load_train_config(recipe, dataset.labels)
            if self.seed is not None:
                config = replace(config, seed=self.seed)
            named = self.stills
            if named is None and self.dataset == 'imagenet_vid' and config.mixes_stills:
                named = 'imagenet_det'
            weights = Training(
                config, dataset, self.out, device, self.imagenet,
                open_stills(named, self.root, dataset.labels), self.workers, self.start,
                self.features,
            ).run()
            if distributed.rank() == 0:
                print(weights)
        return 0

    def _distill(self, recipe: Path) -> int:
        """Train without labels."""
        from ..device import select_device
        from ..training.datasets import open_training_set
        from ..training.distillation.trainer import configure, distill, load_start

        start = load_start(self._start_without_labels())
        config = configure(recipe, start, self.seed)
        dataset = open_training_set(
            self.dataset, self.root, self.split, bags=replace(self.bags, truth_topic=''))
        tell_unfinished(dataset.clips)
        device, note = select_device(self.device)
        print(note, file=sys.stderr)
        print(distill(config, dataset, start, self.out, device))
        return 0

    def _start_without_labels(self) -> str:
        """
        Name the weights to start from, once all else is known to go together.

        :raises OptionError: for options that training without labels does not take.
        """
        self.check_data()
        why = 'this recipe trains without labels'
        self.refuse(['truth_topic', 'truth_tolerance'], f'{why}; leave it out')
        self.refuse(['stills'], f'{why}, on videos alone; leave it out')
        self.refuse(['imagenet'], f'{why}, from whole weights; name those with --start')
        self.refuse(['features', 'workers'], f'{why}: every frame is read once, at the start; '
                                             'leave it out')
        if int(os.environ.get('WORLD_SIZE', '1')) > 1:
            raise options.OptionError(
                f'torchrun: {why}, which one process does; run the command without torchrun')
        if self.start is None:
            raise options.OptionError(
                f'--start: {why}, and teaches weights by what they read themselves; name YOLOX '
                'weights, such as coco')
        options.check_folder('--out', self.out)
        return self.start
