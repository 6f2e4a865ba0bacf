"""The command train: bags as they are recorded, and options that do not go together."""

import json

from conftest import make_tiny_network
import numpy as np
import pytest
from recording_samples import flat, one, STEP_NS
import torch

from forecast_detector.bags import BagWriter
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.cli.main import main
from forecast_detector.diagnosis.diagnose import LABEL_IOU, label_iou

RECIPE = """
model: {feature_channels: 16, lstm_channels: 16, extra_channels: [16, 16, 16, 16],
        input_size: [64, 64]}
detector: {steps: 2, batch_size: 4}
temporal: {steps: 3, frames: 3, batch_size: 2, segments: 2, scheduler_from: 0.0}
scheduler: {steps: 2, frames: 3, batch_size: 2}
"""


@pytest.fixture
def recipe(tmp_path):
    torch.save(make_tiny_network().backbone.state_dict(), tmp_path / 'imagenet.pth')
    path = tmp_path / 'mine.yaml'
    path.write_text(RECIPE)
    return path


def test_a_bag_of_two_cameras_is_trained_on_though_few_frames_are_annotated(
    recipe, tmp_path, capsys
):
    with BagWriter(tmp_path / 'bag') as bag:
        for k in range(12):
            for camera in ('left', 'right'):
                bag.image(f'/{camera}/image_raw', flat(20 * k), k * STEP_NS)
            if k % 4 == 0:
                # Late by 8 ms, as truth of another tool can be.
                bag.detections('/left/truth', one([2, 3, 20, 18], k % 2), ('bolt', 'nut'),
                               k * STEP_NS + 8_000_000)
    out = tmp_path / 'out'
    command = ['train', '--config', str(recipe), '--dataset', 'rosbag', '--root',
               str(tmp_path / 'bag'), '--out', str(out), '--device', 'cpu', '--imagenet',
               str(tmp_path / 'imagenet.pth')]
    assert main(command) == 1
    assert 'several image topics' in capsys.readouterr().err
    command += ['--image-topic', '/left/image_raw', '--truth-topic', '/left/truth']
    assert main(command) == 1
    assert 'correct the stamps, or allow more' in capsys.readouterr().err
    assert main([*command, '--truth-tolerance', '10']) == 0
    assert load_checkpoint(out / 'mine.safetensors').config.labels == ('bolt',)
    log = [json.loads(line) for line in (out / 'log.jsonl').read_text().splitlines()]
    assert [values['phase'] for values in log] == ['detector', 'temporal', 'scheduler']
    assert all(np.isfinite(values['decision']) for values in log[1:])


@pytest.mark.parametrize(('options', 'message'), [
    (['--dataset', 'synthetic', '--root', 'x'], '--root: the synthetic world is drawn'),
    (['--dataset', 'rosbag', '--root', 'x', '--split', 'train'], '--split: bags have no splits'),
    (['--dataset', 'coco_vid'], '--root: dataset coco_vid needs it'),
    (['--root', 'x', '--image-topic', '/a'], '--image-topic: is for --dataset rosbag'),
    (['--root', 'x', '--workers', '0'], '--workers: only phases baseline and joint'),
])
def test_options_that_do_not_go_together_are_named_first(
    recipe, tmp_path, capsys, options, message
):
    assert main(['train', '--config', str(recipe), '--out', str(tmp_path / 'out'), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_features_are_refused_where_no_phase_caches_them(recipe, tmp_path, capsys):
    recipe.write_text('phases: [detector]\n' + RECIPE)
    assert main(['train', '--config', str(recipe), '--out', str(tmp_path / 'out'),
                 '--root', 'x', '--features', str(tmp_path / 'f')]) == 2
    assert '--features: no phase of this recipe caches features' in capsys.readouterr().err


def test_the_scheduler_is_judged_by_the_overlap_that_its_training_asked_for():
    asked = {'recipe': json.dumps({'temporal': {'success_iou': 0.6}})}
    assert label_iou(asked) == 0.6
    assert label_iou({}) == label_iou({'recipe': 'damaged'}) == LABEL_IOU
