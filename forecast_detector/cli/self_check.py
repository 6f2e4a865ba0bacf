"""
Check what a detector needs: weights, device, latency, ROS, cameras. A line each, with the remedy.

Lines that begin with ! are troubles. The status is 1 where the detector would not run, or no
camera sends images that it could use; else 0, whatever else is marked. The last line says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import json
import os
import statistics
import subprocess
import sys
from typing import Any, TYPE_CHECKING

from ..node import require_ros
from . import options
from .command import option
from .common import DeviceOptions

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from ..engine import StreamingDetector

STEPS = 12
PATIENCE_S = 60.0
SLOW_STAMPS_S = 1.0
CAMERA = 'camera'


@dataclass(frozen=True)
class Check:
    """
    One finding.

    :ivar trouble: says what to do about it, '' where all is well.
    :ivar stops: whether the detector would not run for it.
    :ivar usable: of a camera: whether it sends images to detect in.
    """

    name: str
    text: str
    trouble: str = ''
    stops: bool = False
    usable: bool = False

    def __str__(self) -> str:
        mark, more = ('!', f': {self.trouble}') if self.trouble else (' ', '')
        return f'{mark} {self.name:<9} {self.text}{more}'


@dataclass(frozen=True, kw_only=True)
class SelfCheckCommand(DeviceOptions):
    """Options of ``self-check``."""

    weights: str = option('file or shipped name', 'coco')
    seconds: float = option('to listen to cameras', 3.0, options.number(0.5, 60.0))

    def run(self) -> int:
        """Check, one thing after the other."""
        checks = []
        for check in self._checks():
            print(check, flush=True)
            checks.append(check)
        verdict = verdict_of(checks)
        print(verdict)
        return int(verdict.stops)

    def _checks(self) -> Iterator[Check]:
        from ..checkpoint import load_checkpoint
        from ..engine import StreamingDetector

        try:
            checkpoint = load_checkpoint(self.weights)
        except ValueError as error:
            why = str(error).removeprefix(f'{self.weights}: ')
            yield Check('weights', self.weights, why, stops=True)
        else:
            yield from _weights(checkpoint)
            try:
                detector = StreamingDetector(checkpoint, device=self.device)
            except ValueError as error:
                yield Check('device', self.device, str(error), stops=True)
            else:
                yield from _device(detector)
        yield from _ros(self.seconds)


def verdict_of(checks: Sequence[Check]) -> Check:
    """Sum up; the verdict stops where one of the checks does, or no camera can be used."""
    troubles = sum(bool(check.trouble) for check in checks)
    words = {0: 'all is well', 1: 'one trouble'}.get(troubles, f'{troubles} troubles')
    if any(check.stops for check in checks):
        return Check('verdict', f'{words}; the detector would not run', stops=True)
    if not any(check.name == CAMERA and check.usable for check in checks):
        return Check(
            'verdict', f'{words}; no camera sends images that it could use', stops=True)
    more = '; the detector runs, and has images that it can use' if troubles else ''
    return Check('verdict', f'{words}{more}')


def _weights(checkpoint: Checkpoint) -> Iterator[Check]:
    size = checkpoint.path.stat().st_size / 1e6
    yield Check('weights', f'{checkpoint.path}, {size:.1f} MB')
    yield Check('digest', f'sha256 {checkpoint.sha256}')
    labels = checkpoint.config.labels
    more = ', ...' if len(labels) > 6 else ''
    yield Check('labels', f'{len(labels)}: {", ".join(labels[:6])}{more}')


def _device(detector: StreamingDetector) -> Iterator[Check]:
    import torch

    fell_back = detector.device_note.startswith('falling back')
    remedy = 'see that driver and torch fit, or set device: cpu' if fell_back else ''
    yield Check('device', detector.device_note, remedy)
    height, width = detector.input_size
    yield Check('backend', f'{detector.backend}, {torch.get_num_threads()} threads, '
               f'input {width}x{height}, {detector.resize}')
    read, forecast = _latency(detector)
    yield Check(
        'latency', f'READ {read:.1f} ms, FORECAST {forecast:.1f} ms at 640x480: '
        f'{1e3 / read:.0f} images a second read, {2e3 / (read + forecast):.0f} every 2nd read')


def _latency(detector: StreamingDetector) -> tuple[float, float]:
    """Median milliseconds of a READ and of a FORECAST, as by default, of pictures of noise."""
    import numpy as np

    from ..config import StreamConfig
    from ..types import Action, Frame, Policy

    policy = Policy.AUTO.suited(detector.network.moves)
    # READ every second frame. Not all weights have a scheduler; alternate does not ask it.
    detector.config = StreamConfig(
        policy=policy, p=0.0, accumulate=False, max_consecutive_forecasts=1,
    ) if policy.carries else StreamConfig(policy=Policy.ALTERNATE)
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    times: dict[Action, list[float]] = {Action.READ: [], Action.FORECAST: []}
    for step in range(STEPS):
        result = detector.step({'check': Frame.from_array(picture, step)})['check']
        decision = result.or_raise().decision
        times[decision.action].append(decision.inference_ms)
    # The first ones are slow.
    read, forecast = (statistics.median(values[1:]) for values in times.values())
    return read, forecast


def _ros(seconds: float) -> Iterator[Check]:
    try:
        require_ros()
    except RuntimeError as error:
        yield Check('ROS', 'not found', str(error), stops=True)
        return
    try:
        found = survey(seconds)
    except RuntimeError as error:
        yield Check('ROS', 'does not answer', str(error), stops=True)
        return
    where = f'{found["distribution"] or "2"}, {found["middleware"]}, domain {found["domain"]}'
    yield Check('ROS', where)
    yield detectors_line(found['detectors'])
    if not found['cameras']:
        yield Check(
            'cameras', 'no image topic has a publisher', 'start the camera, and compare '
            'ROS_DOMAIN_ID and ROS_AUTOMATIC_DISCOVERY_RANGE with its')
    for camera in found['cameras']:
        yield camera_line(camera)
    if found['left_out']:
        yield Check('cameras', f'{found["left_out"]} more image topics were not listened to')


def survey(seconds: float) -> Any:
    """
    Look for cameras, in a process of its own.

    :raises RuntimeError: if that fails; says why.
    """
    command = [sys.executable, '-m', 'forecast_detector.ros.survey', str(seconds)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S + seconds,
            env=dict(os.environ), check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f'no answer within {error.timeout:.0f} s') from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f'status {done.returncode}']
        raise RuntimeError(said[-1])
    return json.loads(done.stdout.strip().splitlines()[-1])


def detectors_line(names: Sequence[str]) -> Check:
    """Say which detectors run; two of one name publish on the same topics."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names:
        return Check('detector', 'none runs in this domain')
    return Check('detector', f'{", ".join(names)} runs', (
        f'more than one node is {", ".join(twice)}, and they answer on the same topics: end one, '
        'or name it anew (`--ros-args -r __node:=NAME`)') if twice else '')


def camera_line(camera: dict[str, Any]) -> Check:
    """Say what a camera sends; what is wrong with it, and the remedy."""
    kind = camera['type'].rpartition('/')[2]
    text = f'{camera["topic"]}  {kind}, {camera["reliability"]}'
    if not camera['received']:
        return Check(CAMERA, text, (
            'it has a publisher and sends no images; where it is best effort and its images are '
            'large, they are lost: make it reliable, or use its compressed topic'))
    rate = camera['rate_hz']
    text += f', {camera["images"]}' + (f', {rate:.1f} Hz' if rate else '')
    if not camera['usable']:
        return Check(CAMERA, text, f'its images cannot be used: {camera["why"]}')
    text += ', ' + _stamps(camera)
    return Check(CAMERA, text, _camera_trouble(camera), usable=True)


def _stamps(camera: dict[str, Any]) -> str:
    age = camera['age_s']
    if not camera['stamped']:
        return 'stamps are 0 (leave max_age_s at 0)'
    if abs(age) <= SLOW_STAMPS_S:
        return f'{1e3 * age:.0f} ms old'
    return f'stamps {abs(age):.1f} s {"behind" if age > 0 else "ahead of"} the clock'


def _camera_trouble(camera: dict[str, Any]) -> str:
    """Say what is wrong with a camera that can be used."""
    if camera['bad']:
        return f'{camera["bad"]} of {camera["received"]} cannot be used: {camera["why"]}'
    if camera['stamped'] and abs(camera['age_s']) > SLOW_STAMPS_S:
        return 'leave max_age_s at 0, or let both take the time from one clock'
    if camera['publishers'] > 1:
        return f'{camera["publishers"]} publish on it: streams of two cameras do not mix'
    return ''
