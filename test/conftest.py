"""Small networks with random weights: what they say is nonsense, how they say it is tested."""

from dataclasses import replace
import os

import pytest
import torch

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.config import ModelConfig
from forecast_detector.engine import StreamingDetector
from forecast_detector.model.network import ForecastNetwork
from forecast_detector.threads import use_threads

# Of networks this small exports take longer than their steps; tests of backends ask for theirs.
os.environ.setdefault('FORECAST_DETECTOR_BACKEND', 'torch')
# Networks this small are fastest on one thread, and tests must not fight over cores.
use_threads(1)

TINY = ModelConfig(
    ('cat', 'dog'),
    feature_channels=16,
    lstm_channels=16,
    extra_channels=(16, 16, 16, 16),
    input_size=(64, 96),
    peek=0,
)


@pytest.fixture(autouse=True)
def seeded():
    """Draw the same in every run, whichever tests ran before."""
    torch.manual_seed(0)


def make_tiny_network(**changes):
    """Make a network whose head, encoders and scheduler all have something to say."""
    torch.manual_seed(0)
    network = ForecastNetwork(replace(TINY, **changes))
    with torch.no_grad():
        for encoder in (network.encoder1, network.encoder2):
            for parameter in encoder.project.parameters():
                parameter.normal_(std=0.3)
        # Large enough weights for confidences that differ from frame to frame.
        network.scheduler.fc.weight.mul_(10)
        network.scheduler.conv1.weight.mul_(2)
        for predictor in network.head.classification:
            predictor[-1].weight.mul_(10)
    return network.eval()


@pytest.fixture
def tiny_network():
    return make_tiny_network()


@pytest.fixture(scope='session')
def tiny_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    save_checkpoint(path, make_tiny_network(), {'licence': 'none', 'data': 'noise'})
    return path


@pytest.fixture
def tiny_checkpoint(tiny_weights):
    return load_checkpoint(tiny_weights)


@pytest.fixture(scope='session')
def weights(tmp_path_factory):
    """A small network that knows nothing, of the classes bolt and nut."""
    torch.manual_seed(0)
    config = ModelConfig(
        ('bolt', 'nut'), feature_channels=16, lstm_channels=16, input_size=(96, 96),
        extra_channels=(16, 16, 16, 16),
    )
    path = tmp_path_factory.mktemp('weights') / 'small.safetensors'
    save_checkpoint(path, ForecastNetwork(config))
    return path


@pytest.fixture(params=[0, 4], ids=['blind', 'peek'])
def steered(request, tmp_path):
    """A network whose scheduler differs from frame to frame, with and without a peek."""
    torch.manual_seed(1)
    network = ForecastNetwork(ModelConfig(
        ('bolt', 'nut'), feature_channels=16, lstm_channels=16, input_size=(96, 96),
        extra_channels=(16, 16, 16, 16), peek=request.param,
    ))
    with torch.no_grad():
        # Untrained norms let next to nothing of the image through.
        network.train()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
        images = torch.randint(0, 255, (8, 3, 6, 6)).repeat_interleave(16, 2)
        network.read(images.repeat_interleave(16, 3))
        network.scheduler.fc.weight.mul_(30)
        for part in (network.encoder1, network.encoder2):
            for value in part.parameters():
                value.add_(0.1 * torch.randn_like(value))
        for predictor in network.head.classification:
            # Few detections, or suppression takes most of the time.
            predictor[-1].weight.mul_(20)
            predictor[-1].bias.view(-1, 3)[:, 0] += 3
        if network.peek is not None:
            network.peek.project.weight.normal_(0, 0.3)
    save_checkpoint(tmp_path / 'w.safetensors', network)
    return StreamingDetector(load_checkpoint(tmp_path / 'w.safetensors'), device='cpu')
