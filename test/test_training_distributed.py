"""Two processes that share a batch train as one process does with all of it."""

import argparse
import json
import os
from pathlib import Path
import subprocess
import sys

from conftest import make_tiny_network
import pytest
import torch

from forecast_detector.cli.command import add_options
from forecast_detector.cli.train import TrainCommand
from forecast_detector.data.convert import write_coco_vid
from forecast_detector.data.synthetic import load_synthetic
from forecast_detector.training import distributed

# Small steps: in a deep network of random weights rounding errors grow with every large one.
RECIPE = """
model: {feature_channels: 16, lstm_channels: 16, extra_channels: [16, 16, 16, 16],
        input_size: [64, 96], peek: 0}
phases: [detector, joint, temporal]
detector: {steps: 2, batch_size: 4, ema: 0.5, lr: 1.0e-5, backbone_lr: 1.0e-6}
joint: {epochs: 2, clips_per_video: 2, frames: 2, batch_size: 4, scheduler_from: 2,
        lr: 1.0e-5, detector_lr: 1.0e-4, scheduler_lr: 1.0e-4}
temporal: {steps: 2, frames: 2, batch_size: 4, segments: 1, ema: 0.5, forecast_share: 0.5,
           scheduler_from: 0.5, detach_scheduler: false, lr: 1.0e-5, head_lr: 1.0e-5}
"""
# Every step is logged.
SCRIPT = """
import sys
import torch
from forecast_detector.cli.main import main
from forecast_detector.training import phase

phase.LOG_EVERY = 1
torch.set_num_threads(1)
sys.exit(main(sys.argv[1:]))
"""


def calibrated_backbone(world):
    """Give random weights norms that fit them; else the features are rounding errors."""
    backbone = make_tiny_network().backbone.train()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    images = torch.stack([torch.from_numpy(world.clips[0].read(k)) for k in range(8)])
    with torch.no_grad():
        backbone(backbone.normalize(images.permute(0, 3, 1, 2).float()))
    return backbone


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Train with one process, and with two; returns both folders."""
    folder = tmp_path_factory.mktemp('runs')
    world = load_synthetic('train', clips=2, length=8, size=(96, 64))
    write_coco_vid(world, folder / 'data', 'train')
    (folder / 'tiny.yaml').write_text(RECIPE)
    (folder / 'run.py').write_text(SCRIPT)
    torch.save(calibrated_backbone(world).state_dict(), folder / 'imagenet.pth')
    launchers = {
        'one': [sys.executable],
        'two': [sys.executable, '-m', 'torch.distributed.run', '--standalone',
                '--nproc-per-node', '2'],
    }
    for name, launcher in launchers.items():
        command = [
            *launcher, str(folder / 'run.py'), 'train', '--config', str(folder / 'tiny.yaml'),
            '--root', str(folder / 'data'), '--out', str(folder / name), '--device', 'cpu',
            '--imagenet', str(folder / 'imagenet.pth'), '--workers', '0',
        ]
        environment = {
            **os.environ, 'OMP_NUM_THREADS': '1',
            'PYTHONPATH': str(Path(__file__).parent.parent),
        }
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    return folder / 'one', folder / 'two'


def read_log(folder):
    return [json.loads(line) for line in (folder / 'log.jsonl').read_text().splitlines()]


def test_losses_are_those_of_one_process(runs):
    one, two = map(read_log, runs)
    assert [(v['phase'], v['step']) for v in one] == [(v['phase'], v['step']) for v in two]
    phases = ['detector', 'joint', 'temporal']
    assert list(dict.fromkeys(v['phase'] for v in two)) == phases
    for mine, theirs in zip(one, two):
        for name in ('loc', 'cls', 'localisation', 'classification', 'forecast', 'decision'):
            if name in mine:
                assert theirs[name] == pytest.approx(mine[name], rel=2e-3), (mine, theirs)


def test_weights_go_where_those_of_one_process_go(runs):
    one, two = (torch.load(folder / 'joint.pt', weights_only=True)['network'] for folder in runs)
    start = torch.load(runs[0] / 'detector.pt', weights_only=True)['average']
    for part in ('backbone', 'neck', 'encoder1', 'encoder2', 'scheduler', 'head'):
        names = [name for name in one if name.startswith(part) and one[name].ndim > 1]
        there, here, before = (
            torch.cat([state[prefix + name].flatten() for name in names])
            for state, prefix in ((one, ''), (two, ''), (start, 'module.'))
        )
        assert (there - here).norm() < 0.05 * (there - before).norm(), part


def test_only_the_first_process_writes(runs):
    one, two = ({path.name for path in folder.iterdir()} for folder in runs)
    assert one == two
    assert {'tiny.safetensors', 'joint.pt', 'log.jsonl'} <= two
    assert 'bank.pt' not in two


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, 'world', lambda: 3)
    assert distributed.share_of(12) == 4
    with pytest.raises(ValueError, match='batch_size 4 cannot be shared by 3 processes'):
        distributed.share_of(4)


def test_a_process_of_its_own_joins_nothing():
    with distributed.process_group('cpu') as device:
        assert (device, distributed.world(), distributed.rank()) == ('cpu', 1, 0)
    assert list(distributed.own(range(4))) == [0, 1, 2, 3]


def test_torchrun_leaves_the_commands_options_to_it():
    from torch.distributed.run import parse_args

    parser = argparse.ArgumentParser()
    add_options(parser, TrainCommand)
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            # The last spelling is the one that docs name for torchrun.
            option = action.option_strings[-1]
            parsed = parse_args(['-m', 'forecast_detector', 'train', option, 'x'])
            assert parsed.training_script_args == ['train', option, 'x']
