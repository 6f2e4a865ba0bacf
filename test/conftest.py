"""Small networks with random weights: what they say is nonsense, how they say it is tested."""

from dataclasses import replace

import pytest
import torch

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.config import ModelConfig
from forecast_detector.model.network import ForecastNetwork

# Networks this small are fastest on one thread, and tests must not fight over cores.
torch.set_num_threads(1)

TINY = ModelConfig(
    ('cat', 'dog'),
    feature_channels=16,
    lstm_channels=16,
    extra_channels=(16, 16, 16, 16),
    input_size=(64, 96),
    peek=0,
)


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
