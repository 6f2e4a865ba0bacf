"""The command train: bags as they are recorded, and options that do not go together."""

import json
import signal

from conftest import make_tiny_network
from distillation_samples import save_start, write_scenes
import numpy as np
import pytest
from recording_samples import flat, one, STEP_NS
import torch

from forecast_detector.bags import BagWriter
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.cli.main import main
from forecast_detector.diagnosis.diagnose import LABEL_IOU, label_iou
from forecast_detector.limits import MAX_THREADS
from forecast_detector.training.distillation import forecast

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


WITHOUT_LABELS = """
teacher: itself
model: {correction: 4, scheduler: 4}
forecast: {steps: 3, batch_size: 2, frames: 2}
scheduler: {steps: 3, batch_size: 2, rollouts: 2, frames: 2}
"""


@pytest.fixture
def without_labels(tmp_path):
    """A recipe, and the command that trains by it from weights of YOLOX."""
    (tmp_path / 'mine.yaml').write_text(WITHOUT_LABELS)
    save_start(tmp_path / 'start.safetensors')
    return ['train', '--config', str(tmp_path / 'mine.yaml'), '--out', str(tmp_path / 'out')]


def test_a_recipe_without_labels_trains_on_videos(without_labels, tmp_path, capsys):
    (tmp_path / 'videos').mkdir()
    write_scenes(tmp_path / 'videos' / 'a.mp4', 8)
    command = [*without_labels, '--dataset', 'video', '--root', str(tmp_path / 'videos'),
               '--start', str(tmp_path / 'start.safetensors'), '--device', 'cpu', '--seed', '3']
    assert main(command) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / 'out' / 'mine.safetensors')
    trained = load_checkpoint(tmp_path / 'out' / 'mine.safetensors')
    assert (trained.config.correction, trained.config.labels) == (4, ('bolt', 'nut'))
    assert json.loads(trained.info['recipe'])['seed'] == 3
    log = [json.loads(line) for line in (tmp_path / 'out' / 'log.jsonl').read_text().splitlines()]
    assert [values['phase'] for values in log] == ['forecast', 'scheduler']
    write_scenes(tmp_path / 'videos' / 'b.mp4', 8)
    assert main(command) == 1
    assert 'states of a run with another data set' in capsys.readouterr().err


def test_a_truth_is_not_read_where_none_is_needed(without_labels, tmp_path):
    """Two truth topics, of classes foreign to the weights: neither matters."""
    with BagWriter(tmp_path / 'bag') as bag:
        for k in range(6):
            bag.image('/cam/image_raw', flat(20 * k), k * STEP_NS)
            for topic in ('/cam/truth', '/cam/more'):
                bag.detections(topic, one([2, 3, 20, 18], 0), ('whale',), k * STEP_NS)
    assert main([*without_labels, '--dataset', 'rosbag', '--root', str(tmp_path / 'bag'),
                 '--start', str(tmp_path / 'start.safetensors'), '--device', 'cpu']) == 0


def test_sigterm_between_steps_without_labels(without_labels, tmp_path, monkeypatch, capsys):
    write_scenes(tmp_path / 'a.mp4', 8)
    command = [*without_labels, '--dataset', 'video', '--root', str(tmp_path / 'a.mp4'),
               '--start', str(tmp_path / 'start.safetensors'), '--device', 'cpu']

    def stop(*arguments):
        signal.raise_signal(signal.SIGTERM)
        return kept(*arguments)

    with monkeypatch.context() as patch:
        kept = forecast.rollout_losses
        patch.setattr(forecast, 'rollout_losses', stop)
        assert main(command) == 143
    assert 'after step 0: the state is in' in capsys.readouterr().err
    assert main(command) == 0


@pytest.mark.parametrize(('options', 'message'), [
    (['--start', 'x', '--features', 'f'], '--features: this recipe trains without labels'),
    (['--start', 'x', '--workers', '1'], '--workers: this recipe trains without labels'),
    (['--start', 'x', '--stills', 'voc=x'], '--stills: this recipe trains without labels'),
    (['--imagenet', 'x'], '--imagenet: this recipe trains without labels'),
    ([], '--start: this recipe trains without labels'),
    (['--dataset', 'rosbag', '--truth-topic', '/t'], '--truth-topic: this recipe trains'),
    (['--dataset', 'video', '--split', 'val'], '--split: videos have no splits'),
])
def test_what_has_no_meaning_without_labels_is_named(
    without_labels, tmp_path, capsys, options, message
):
    assert main([*without_labels, '--root', 'x', *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_torchrun_is_refused_without_labels(without_labels, monkeypatch, capsys):
    monkeypatch.setenv('WORLD_SIZE', '2')
    assert main([*without_labels, '--root', 'x', '--start', 'x']) == 2
    assert 'torchrun: this recipe trains without labels' in capsys.readouterr().err


def test_videos_without_truth_teach_no_detector(recipe, tmp_path, capsys):
    assert main(['train', '--config', str(recipe), '--out', str(tmp_path / 'out'),
                 '--root', 'x', '--dataset', 'video']) == 2
    assert '--dataset video: has no truth' in capsys.readouterr().err


def test_the_scheduler_is_judged_by_the_overlap_that_its_training_asked_for():
    asked = {'recipe': json.dumps({'temporal': {'success_iou': 0.6}})}
    assert label_iou(asked) == 0.6
    assert label_iou({}) == label_iou({'recipe': 'damaged'}) == LABEL_IOU


def test_workers_are_bounded(capsys):
    with pytest.raises(SystemExit):
        main(['train', '--config', 'foda', '--workers', '9999999'])
    assert f"'9999999': a whole number in [0, {MAX_THREADS}]" in capsys.readouterr().err
