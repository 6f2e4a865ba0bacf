"""What tests of training without labels share: tiny YOLOX networks, and videos that move."""

from dataclasses import replace
import signal

import cv2
import numpy as np
import torch
from yolox_samples import raise_variances, take_norms_from

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.data.base import Clip, ClipDataset, Truth
from forecast_detector.model.yolox.config import YoloxConfig
from forecast_detector.model.yolox.network import YoloxNetwork
from forecast_detector.training.distillation.recipe import (
    DistillConfig,
    ForecastRecipe,
    JudgeRecipe,
)

CPU = torch.device('cpu')
SMALL = YoloxConfig(('bolt', 'nut'), width=0.125, input_size=(64, 64))
LEARNER = replace(SMALL, correction=4, scheduler=4)


def make_reader(config=SMALL, steady=False):
    """
    Make a network that finds something in every picture, and more in some than in others.

    Outputs have the spread of trained ones, however much comes through the layers before.

    :param steady: whether small changes of weights make small changes of outputs, as in trained
        networks.
    """
    torch.manual_seed(0)
    network = YoloxNetwork(config)
    with torch.no_grad():
        images = torch.from_numpy(np.stack([scene(k, seed=k) for k in range(6)]))
        take_norms_from(network, images.permute(0, 3, 1, 2).float())
        if steady:
            raise_variances(network, 1.0)
        network.eval()
        head, images = network.head, images.permute(0, 3, 1, 2).float()
        for level, one in enumerate(network.backbone(images)):
            x = head.stems[level](one)
            for tower, outputs, spread, bias in (
                (head.cls_convs, head.cls_preds, 2.0, -1.0),
                (head.reg_convs, head.obj_preds, 2.0, -1.0),
                (head.reg_convs, head.reg_preds, 0.4, 0.0),
            ):
                size = tower[level](x).square().sum(dim=1).mean().sqrt().item()
                outputs[level].weight.normal_(0, spread / size)
                outputs[level].bias.fill_(bias)
    return network


def stopping_at(when):
    """Give a wrapper of functions: the call of that number, from 0, asks the run to stop."""
    count = [0]

    def interrupted(kept):
        def call(*arguments, **more):
            if count[0] == when:
                signal.raise_signal(signal.SIGTERM)
            count[0] += 1
            return kept(*arguments, **more)
        return call

    return interrupted


def scene(k, size=64, seed=0):
    """Draw a textured ground that moves by two pixels a frame, and a square by three."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.integers(0, 256, (24, 24, 3), np.uint8), (3 * size, 3 * size))
    x = 2 * k % size
    image = ground[x:x + size, x:x + size].copy()
    at = 3 * k % (size - 20)
    image[at:at + 16, 10:26] = (250, 30, 30)
    return image


class Moving(Clip):
    """A drawn clip."""

    def __init__(self, name, length, seed=0):
        self.name, self.seed, self._length = name, seed, length

    def __len__(self):
        return self._length

    def read(self, index):
        return scene(index, seed=self.seed)

    def truth(self, index):
        return Truth(annotated=False)


def world(lengths=(14, 10)):
    clips = [Moving(f'clip{k}', length, seed=k) for k, length in enumerate(lengths)]
    return ClipDataset((), clips)


def save_start(path, config=SMALL, network=None):
    """Write weights to start from; returns them as loaded."""
    save_checkpoint(path, network or make_reader(config), {'licence': 'none'}, half=False)
    return load_checkpoint(path)


def tiny_recipe(**changes):
    config = DistillConfig(
        'tiny', LEARNER, forecast=ForecastRecipe(steps=4, batch_size=2, frames=3, lr=1e-2),
        scheduler=JudgeRecipe(steps=4, batch_size=4, rollouts=6, frames=3, lr=1e-2),
    )
    return replace(config, **changes)


def write_scenes(path, frames, fps=20.0, seed=0, every=1):
    """Write a video of a scene that moves every so many frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), fps, (64, 64))
    for k in range(frames):
        writer.write(np.ascontiguousarray(scene(k // every, seed=seed)[:, :, ::-1]))
    writer.release()
    return path
