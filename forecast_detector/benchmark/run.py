"""The whole run: backends take turns, frame by frame, so that none meets a quieter machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import os
import platform

import cv2
import numpy as np
import torch

from ..checkpoint import Checkpoint
from ..config import Backend
from ..records.benchmark import BackendTimes, Benchmark, ClockMhz, NodeCost, OfSize, Together
from .backend import Contestant, FORECAST, PERIOD, READ, Stepper, WARM
from .clock import Clock
from .pictures import IMAGE, Images, pan

Say = Callable[[str], None]
STREAMS = (1, 2, 4, 8)
SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080))


def versions() -> dict[str, str]:
    """Say what the figures are of."""
    found = {
        'python': platform.python_version(), 'torch': torch.__version__, 'numpy': np.__version__,
        'opencv': cv2.__version__,
    }
    try:
        import openvino
        found['openvino'] = openvino.__version__
    except ImportError:
        pass
    return found


def interleave(steppers: Sequence[Stepper], frames: int, images: Images) -> None:
    """Let streams take turns, frame by frame."""
    for _ in range(frames + WARM):
        for stepper in steppers:
            stepper.step(images)


def measure(
    checkpoint: Checkpoint, device: str, backends: Sequence[Backend], frames: int, brief: bool,
    say: Say,
) -> list[BackendTimes]:
    """
    Measure backends side by side.

    :param brief: only one stream and one image size.
    """
    images = pan(IMAGE)
    contestants = contestants_of(checkpoint, device, backends, say)
    say('one stream')
    steppers = [one.steppers() for one in contestants]
    quarters = [one.quarters() for one in contestants]
    for index in range(frames + WARM):
        for contestant, its, slow in zip(contestants, steppers, quarters):
            for stepper in its:
                stepper.step(images)
            if index >= WARM:
                contestant.plain(index, images)
            if index % PERIOD == 0:
                for stepper in slow:
                    stepper.period(images)
    if not brief:
        for streams in STREAMS:
            say(f'{streams} streams')
            _together(contestants, streams, max(4, frames // streams), images)
        for size in SIZES:
            say(f'images of {size[0]}x{size[1]}')
            _of_size(contestants, size, max(4, frames // 3))
    say('stages')
    return [
        one.record(one.stages(READ, frames, images), one.stages(FORECAST, frames, images))
        for one in contestants
    ]


def contestants_of(
    checkpoint: Checkpoint, device: str, backends: Sequence[Backend], say: Say
) -> list[Contestant]:
    """Make a detector of each backend; one that two names lead to is measured once."""
    found: dict[str, tuple[Backend, Contestant]] = {}
    for name in backends:
        made = Contestant.make(checkpoint, device, name)
        backend = made.detector.backend
        first, _ = found.setdefault(backend, (name, made))
        if first != name:
            say(f'{first} and {name} once: both are {backend} here')
    return [made for _, made in found.values()]


def _pairs(
    contestants: Sequence[Contestant], streams: int, frames: int, images: Images
) -> list[Clock]:
    clocks = [Clock() for _ in contestants]
    for contestant in contestants:
        contestant.prepare(streams)
    interleave([
        stepper for one, clock in zip(contestants, clocks) for stepper in one.pair(clock, streams)
    ], frames, images)
    return clocks


def _together(
    contestants: Sequence[Contestant], streams: int, frames: int, images: Images
) -> None:
    for contestant, clock in zip(contestants, _pairs(contestants, streams, frames, images)):
        contestant.streams.append(
            Together(streams, clock.times('read'), clock.times('forecast')))


def _of_size(contestants: Sequence[Contestant], size: tuple[int, int], frames: int) -> None:
    for contestant, clock in zip(contestants, _pairs(contestants, 1, frames, pan(size))):
        contestant.sizes.append(OfSize(*size, clock.times('read'), clock.times('forecast')))


def summed_up(
    weights: str, checkpoint: Checkpoint, machine: str, input_size: Sequence[int],
    backends: list[BackendTimes], node: NodeCost | None, clock_mhz: ClockMhz | None = None,
) -> Benchmark:
    """Put the medians of the first backend on top, beside the fastest plain detector."""
    first = backends[0]
    return Benchmark(
        first.read.p50, first.forecast.p50, min(one.plain.p50 for one in backends), first.name,
        torch.get_num_threads(), weights, checkpoint.sha256, machine, os.getloadavg()[0],
        versions(), list(input_size), list(IMAGE), backends, node,
        clock_mhz,
    )
