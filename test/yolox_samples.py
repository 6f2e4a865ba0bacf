"""Small YOLOX networks with random weights, as ours and as others publish them."""

from dataclasses import replace

import numpy as np
import torch

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.data.base import Clip, Truth
from forecast_detector.engine import StreamingDetector
from forecast_detector.model.yolox.config import YoloxConfig
from forecast_detector.model.yolox.network import YoloxNetwork

STEM = 'backbone.backbone.stem.conv.conv.weight'
SMALL = YoloxConfig(('cat', 'dog'), width=0.125, input_size=(64, 96))


def make_yolox(**changes):
    """Make a network through which something of the image comes, and whose norms do something."""
    torch.manual_seed(0)
    network = YoloxNetwork(replace(SMALL, **changes))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.8, 1.6)
                module.bias.normal_(0, 0.3)
        take_norms_from(network, pictures(4))
        raise_variances(network)
        for name, value in network.head.named_parameters():
            if '_preds' in name:
                value.normal_(0, 0.1)
    return network.eval()


def take_norms_from(network, images):
    """Let norms measure what images give: as they are drawn, they let next to nothing through."""
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    network.detect(network.read(images))


def raise_variances(network, least=2.0):
    """
    Let no norm make much of a channel that hardly varied: that would be rounding's.

    :param least: share of the layer's mean variance that each is raised to.
    """
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.clamp_(min=least * module.running_var.mean().item())


def published(network):
    """Give the weights as they are published: official names, for images of BGR."""
    state = {
        name: value.clone() for name, value in network.state_dict().items()
        if name.startswith(('backbone.', 'head.'))
    }
    base = len(state[STEM])
    state[STEM] = state[STEM].view(base, 4, 3, 3, 3).flip(2).reshape(base, 12, 3, 3)
    return state


def outputs(network, images):
    """Give raw outputs, (B, cells, 5 + classes), sigmoids taken, as published networks do."""
    with torch.no_grad():
        raw = network.detect(network.read(images))
    return torch.cat([
        torch.cat([one.boxes, one.objects.sigmoid(), one.classes.sigmoid()], 1).flatten(2)
        for one in raw
    ], 2).transpose(1, 2)


def pictures(count=2, size=(64, 96), seed=1):
    """Give random images, RGB, 0..255."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 256, (count, 3, size[0] // 8, size[1] // 8), generator=generator)
    return coarse.float().repeat_interleave(8, 2).repeat_interleave(8, 3)


def make_detector(folder, config, network=None, **changes):
    path = folder / 'yolox.safetensors'
    save_checkpoint(path, network or make_yolox(**changes), half=False)
    return StreamingDetector(load_checkpoint(path), config, 'cpu')


class MovingNoise(Clip):
    """Smooth noise that moves by a constant shift each frame, and is another at a cut."""

    def __init__(self, name='moving', length=8, shift=(8, 0), cut=None, size=(64, 96)):
        self.name, self.length, self.shift = name, length, shift
        self.cut, self.size = cut, size

    def __len__(self):
        return self.length

    def read(self, index):
        seed = 1 if self.cut is not None and index >= self.cut else 0
        generator = np.random.default_rng(seed)
        height, width = self.size
        coarse = generator.integers(0, 256, (height // 8 + 20, width // 8 + 20, 3))
        world = np.kron(coarse, np.ones((8, 8, 1))).astype(np.uint8)
        x, y = 80 - index * self.shift[0], 80 - index * self.shift[1]
        return np.ascontiguousarray(world[y:y + height, x:x + width])

    def truth(self, index):
        return Truth()
