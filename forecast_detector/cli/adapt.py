"""
Adapt weights to your own recordings, which need no labels.

What the weights read in the first four fifths of every recording teaches their forecasts and their
scheduler; READs stay as they are. The last fifth is kept aside: there the agreement with reading
every frame is measured, before and after, at the same shares of READs, and p is recommended for
what is wanted. If agreement is not better at that share, by more than chance, nothing is written,
and the exit status is 4. The training is kept then: with more --steps or --minutes it goes on.

Only YOLOX weights can be adapted. A run that is stopped (Ctrl-C, SIGTERM) goes on when the same
command is given again. Recordings that cannot be used, or are too short, are named and skipped,
the rest is used, and the exit status is 3 if that helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from ..records import write
from ..types import Policy
from . import common, options
from .command import option, stream_option
from .common import DeviceOptions, JsonOptions, stoppable, WishOptions
from .data import SkippedBags, tell_unfinished

if TYPE_CHECKING:
    from ..adaptation.recordings import CutRecording
    from ..adaptation.run import Adapted
    from ..data.base import Clip

NO_HELP = 4  # exit status
SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class AdaptCommand(JsonOptions, DeviceOptions, WishOptions):
    """Options of ``adapt``."""

    weights: str = option('YOLOX weights to start from: a file or a shipped name, such as coco')
    bag: Sequence[str] | None = option(
        'bags, or folders of bags', None, nargs='+', one_of='recordings', required=True,
        metavar='BAG')
    video: Sequence[str] | None = option(
        'video files, or folders of videos or pictures', None, nargs='+', one_of='recordings',
        metavar='FILE')
    image_topic: str | None = option(
        'with --bag: needed where a bag has several cameras', None, metavar='TOPIC')
    stride: int = option('take every K-th frame of each recording', 1, options.whole(1),
                         metavar='K')
    out: Path = option('file for the weights', parse=Path, metavar='FILE')
    want_share: float | None = option(
        f'p for at most this share of READs; default: {SHARE}', None, options.unit,
        one_of='wish', metavar='S')
    minutes: float | None = option(
        'train by fewer steps where the recipe would take longer, by the speed of this machine; '
        'reading and measuring come on top', None, options.above_zero, one_of='length',
        metavar='M')
    steps: int | None = option(
        'train the scheduler by N steps, or with --policy scheduler the forecasts, and it in '
        "proportion; default: the recipe's",
        None, options.whole(1), one_of='length', metavar='N')
    policy: str = option(
        'what is trained and judged: scheduled_flow (boxes carried between the READs that the '
        'scheduler chooses), scheduler (forecasts, too: their correction is trained first), or '
        'auto, what the node takes with these weights: scheduled_flow', Policy.AUTO.value,
        choices=tuple(one.value for one in Policy if one.takes_p))
    config: str = option('recipe: a file, or a shipped one by name', 'adapt')
    seed: int | None = option("instead of the recipe's", None, options.whole(0))
    state: Path | None = option(
        'folder for the states of the training and its log, which is kept; without it FILE.state '
        'beside the weights, which goes when the weights are written', None, Path, metavar='DIR')
    reference_score: float = option(
        'what reading gives counts from this score on', 0.4, options.unit, metavar='S')
    score_threshold: float = stream_option(
        'score_threshold', 'score from which a user sees a detection, for recall')

    def run(self) -> int:
        """Adapt, unless a signal comes."""
        self._check()
        return stoppable(self._adapt)

    def _check(self) -> None:
        if self.bag is None:
            self.refuse(['image_topic'], 'is for --bag')
        read = [*(self.bag or ()), *(self.video or ()), self.weights, self.config]
        options.check_outputs(self, ['out', 'json'], read)
        options.check_folder('--state', self._states)

    @property
    def _states(self) -> Path:
        return self.state or self.out.with_name(self.out.name + '.state')

    def _adapt(self) -> int:
        from ..adaptation.files import forget, keep
        from ..adaptation.plan import leading, scaled
        from ..adaptation.run import adapt, Asked, for_policy, with_start
        from ..data.views import in_whole
        from ..device import select_device
        from ..evaluation.trade_off import Wish
        from ..scoring.judging import Judging
        from ..shipped import find
        from ..training.distillation.trainer import configure, load_start

        start = load_start(self.weights)
        policy = Policy(self.policy).suited(start.network.moves)
        config = with_start(configure(find('recipes', self.config), start, self.seed), start)
        config = for_policy(config, policy)
        if self.steps:
            config = scaled(config, self.steps / max(1, leading(config).steps))
        device, note = select_device(self.device)
        print(note, file=sys.stderr)
        skipped, bad = SkippedBags(), common.PassedOver()
        recordings = self._recordings(skipped)
        wish = self.wish()
        asked = Asked(
            wish if wish != Wish() else Wish(SHARE),
            Judging(self.score_threshold, self.reference_score), self.minutes, device, policy,
            common.note, lambda clip, error: skipped.add(clip.source, error),
            lambda clip, index, error: bad.say(_passed_over(*in_whole(clip, index), error)))
        try:
            adapted = adapt(start, config, recordings, asked, self._states)
        except Exception:
            self._tell_states(config.name)
            raise
        bad.finish()
        adapted = replace(adapted, found=replace(
            adapted.found, skipped=skipped.rows, passed_over=bad.count))
        if adapted.found.helps:
            keep(adapted.trained, adapted.found, self.out)
            if self.state is None:
                forget(self._states, config.name)
        return self._tell(adapted, skipped)

    def _tell_states(self, name: str) -> None:
        """Say where the states of a training are that failed; remove a folder without any."""
        from ..adaptation.files import forget

        if any(self._states.glob('*.pt')):
            common.say(f'the training so far is kept in {self._states}: the same command goes on '
                       'from there; or remove the folder')
        elif self.state is None:
            forget(self._states, name)

    def _recordings(self, skipped: SkippedBags) -> list[CutRecording]:
        """
        Open the recordings, and cut them in two.

        :raises ValueError: if none can be used.
        """
        from ..adaptation.recordings import cut, open_bags, open_videos

        if self.bag is not None:
            opened = open_bags(self.bag, self.image_topic, skipped.add)
        else:
            opened = open_videos(self.video or (), skipped.add)
        tell_unfinished(clip for _, clip in opened)
        recordings = cut(opened, self.stride, skipped.add)
        if not recordings:
            raise ValueError('none of the recordings can be used; see above')
        return recordings

    def _tell(self, adapted: Adapted, skipped: SkippedBags) -> int:
        from ..report.adaptation_table import adaptation_table

        found = adapted.found
        if self.json:
            write(self.json, found)
        if self.json != '-':
            print(adaptation_table(found))
        if not found.helps:
            steps = next(iter(found.steps.values()), 0)
            common.say(f'nothing is written to {self.out}; the training is kept in '
                       f'{self._states}: with more --steps (they were {steps}) or '
                       '--minutes the same command goes on from there; or remove the folder')
            return NO_HELP
        common.say(f'{self.out} is written')
        return skipped.status


def _passed_over(clip: Clip, index: int, error: Exception) -> str:
    return f'{clip.source}: frame {index} is passed over: {options.one_line(error)}'
