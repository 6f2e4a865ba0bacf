"""Tiny weights and a graph of its own for the node tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

LABELS = ('bolt', 'nut', 'wrench')


@pytest.fixture(scope='session')
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small network, random but always the same."""
    import torch

    from forecast_detector.checkpoint import save_checkpoint
    from forecast_detector.config import ModelConfig
    from forecast_detector.model.network import ForecastNetwork

    torch.manual_seed(0)
    config = ModelConfig(
        LABELS,
        backbone='mobilenet_v2',
        feature_channels=32,
        lstm_channels=16,
        input_size=(96, 96),
        extra_channels=(32, 32, 32, 32),
        scheduler_channels=(8, 8),
        peek=0,
    )
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    save_checkpoint(path, ForecastNetwork(config).eval(), {'licence': 'none'})
    return path


@pytest.fixture(scope='module')
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A ROS graph on this machine only; its processes end with the module's tests."""
    pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
    pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')
    from .graph import Graph

    with Graph(tmp_path_factory.mktemp('graph')) as graph:
        yield graph
