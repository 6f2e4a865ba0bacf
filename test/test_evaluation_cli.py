"""The command ``evaluate`` on a tiny data set, with and without weights."""

import argparse
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from forecast_detector.checkpoint import save_checkpoint
from forecast_detector.cli import evaluate
from forecast_detector.config import ModelConfig
from forecast_detector.model.network import ForecastNetwork

LENGTH = 8


def box(frame):
    """Corner and size of the object: it moves by 6 pixels a frame."""
    return [10.0 + 6 * frame, 20.0, 40.0, 30.0]


@pytest.fixture
def root(tmp_path):
    """A CocoVID split of one clip; category ids are 4 and 9, only the second is used."""
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'val').mkdir()
    for k in range(LENGTH):
        cv2.imwrite(str(tmp_path / 'val' / f'{k}.png'), np.full((96, 128, 3), 9 * k, np.uint8))
    (tmp_path / 'annotations' / 'val.json').write_text(json.dumps({
        'categories': [{'id': 4, 'name': 'nut'}, {'id': 9, 'name': 'bolt'}],
        'videos': [{'id': 1, 'name': 'a', 'fps': 10}],
        'images': [
            {'id': 100 + k, 'video_id': 1, 'frame_id': k, 'file_name': f'{k}.png',
             'width': 128, 'height': 96} for k in range(LENGTH)
        ],
        'annotations': [
            {'id': k, 'image_id': 100 + k, 'category_id': 9, 'instance_id': 0, 'bbox': box(k)}
            for k in range(LENGTH)
        ],
    }))
    return tmp_path


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """A small network that knows nothing, its classes in another order than the file's."""
    torch.manual_seed(0)
    config = ModelConfig(
        ('bolt', 'nut'), feature_channels=16, lstm_channels=16, input_size=(96, 96),
        extra_channels=(16, 16, 16, 16),
    )
    path = tmp_path_factory.mktemp('weights') / 'small.safetensors'
    save_checkpoint(path, ForecastNetwork(config))
    return path


def run(root, *options):
    """Run the command; returns its exit status and its JSON."""
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    args = parser.parse_args([
        '--dataset', 'coco_vid', '--root', str(root), '--json', str(root / 'out.json'),
        *map(str, options),
    ])
    return evaluate.run(args), json.loads((root / 'out.json').read_text())


def write(path, rows):
    path.write_text(json.dumps([
        {'image_id': i, 'category_id': c, 'bbox': b, 'score': s} for i, c, b, s in rows
    ]))
    return path


def test_detections_of_others_are_scored_without_images_or_weights(root, capsys):
    for image in (root / 'val').glob('[1-9].png'):
        image.unlink()
    dump = write(root / 'd.json', [(100 + k, 9, box(k), 0.9) for k in range(LENGTH)])
    status, result = run(root, '--from', dump)
    assert status == 0
    assert (result['map50'], result['map50_tolerant'], result['frames']) == (1.0, 1.0, LENGTH)
    assert (result['read_share'], result['ms_per_frame']) == (None, None)
    # Neighbours overlap 34/46, those further less: all of this object's boxes are fast.
    assert result['by_speed']['fast'] == {'map50': 1.0, 'map50_tolerant': 1.0}
    assert result['by_speed']['slow'] == {'map50': None, 'map50_tolerant': None}
    assert result['by_class'] == {'bolt': {'map50': 1.0, 'map50_tolerant': 1.0}}
    assert 'bolt' in capsys.readouterr().out


def test_scoring_again_does_without_the_network(root):
    dump = write(root / 'd.json', [(100, 9, box(0), 0.9)])
    done = subprocess.run([
        sys.executable, '-c',
        'import argparse, sys\n'
        'from forecast_detector.cli import evaluate\n'
        'parser = argparse.ArgumentParser()\n'
        'evaluate.add_arguments(parser)\n'
        'evaluate.run(parser.parse_args(sys.argv[1:]))\n'
        "sys.exit('torch' in sys.modules)",
        '--dataset', 'coco_vid', '--root', str(root), '--from', str(dump),
    ])
    assert done.returncode == 0


def test_half_of_the_frames_found_is_half_the_recall(root):
    rows = [(100 + k, 9, box(k), 0.9) for k in range(0, LENGTH, 2)]
    assert run(root, '--from', write(root / 'd.json', rows))[1]['map50'] == pytest.approx(0.5)


def test_stride_takes_every_kth_frame_and_what_was_found_on_it(root):
    rows = [(100 + k, 9, box(k), 0.9) for k in range(0, LENGTH, 2)]
    result = run(root, '--from', write(root / 'd.json', rows), '--stride', 2)[1]
    assert (result['map50'], result['frames']) == (1.0, LENGTH // 2)


@pytest.mark.parametrize(('options', 'read_share'), [
    (('--policy', 'read'), 1.0),
    (('--policy', 'scheduler', '--p', 1), 1.0),
    (('--policy', 'scheduler', '--p', 0), 1 / 8),
    (('--policy', 'scheduler', '--p', 0, '--max-consecutive-forecasts', 1), 1 / 2),
    (('--policy', 'alternate', '--read-every', 2), 1 / 2),
    (('--policy', 'copy', '--read-every', 4), 2 / 8),
    (('--policy', 'hold', '--read-every', 3), 3 / 8),
    (('--policy', 'kalman', '--read-every', 4), 2 / 8),
])
def test_policies_read_the_share_that_they_should(root, weights, options, read_share):
    status, result = run(root, '--weights', weights, '--device', 'cpu', *options)
    assert status == 0
    assert result['read_share'] == read_share
    assert result['frames'] == LENGTH
    assert result['ms_per_frame'] > 0
    assert (result['latency_ms']['forecast'] is None) == (read_share == 1.0)
    assert result['provenance']['policy'] == options[1]
    assert len(result['provenance']['sha256']) == 64


def test_what_is_dumped_scores_the_same_again(root, weights):
    dump = root / 'd.json'
    first = run(root, '--weights', weights, '--policy', 'read', '--dump', dump)[1]
    assert {row['category_id'] for row in json.loads(dump.read_text())} <= {4, 9}
    again = run(root, '--from', dump)[1]
    for name in ('map50', 'map50_tolerant', 'by_speed', 'by_class', 'map50_95'):
        assert again[name] == first[name]


def test_the_oracle_reads_its_share_at_most_by_a_frame_more_or_less(root, weights):
    result = run(root, '--weights', weights, '--policy', 'oracle', '--read-every', 2)[1]
    assert result['read_share'] == pytest.approx(1 / 2, abs=0.13)
    assert result['ms_per_frame'] > 0


def test_streaming_with_given_latencies_is_deterministic_and_needs_no_speed(root, weights):
    options = ('--weights', weights, '--policy', 'read', '--sap')
    results = [run(root, *options, '--latency', '50,5')[1] for _ in range(2)]
    assert results[0]['sap50'] == results[1]['sap50']
    assert run(root, *options, '--anticipate')[1]['sap50'] is not None
    assert run(root, '--weights', weights, '--policy', 'read')[1]['sap50'] is None


def test_a_trace_tells_what_was_decided_at_each_frame_and_why(root, weights):
    result = run(root, '--weights', weights, '--device', 'cpu', '--policy', 'scheduler',
                 '--p', 0, '--max-consecutive-forecasts', 2, '--trace')[1]
    clip, = result['trace']['clips']
    assert [frame['action'] for frame in clip['frames'][:4]] == [
        'READ', 'FORECAST', 'FORECAST', 'READ']
    assert [frame['reason'] for frame in clip['frames'][:4]] == [
        'FIRST_FRAME', 'SCHEDULER', 'SCHEDULER', 'LIMIT']
    assert clip['frames'][1]['stamp_ns'] == 100_000_000
    assert result['trace']['pictures']
    args = ['--dataset', 'coco_vid', '--root', str(root), '--weights', str(weights), '--trace']
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    with pytest.raises(ValueError, match='give --json, too'):
        evaluate.run(parser.parse_args(args))


def test_a_comparison_tells_the_difference_and_its_interval(root):
    good = write(root / 'd.json', [(100 + k, 9, box(k), 0.9) for k in range(LENGTH)])
    half = write(root / 'e.json', [(100 + k, 9, box(k), 0.9) for k in range(0, LENGTH, 2)])
    versus = run(root, '--from', good, '--versus', half)[1]['versus']
    # One clip: every resample is the same.
    assert versus['map50'] == {'difference': 0.5, 'low': 0.5, 'high': 0.5}


def test_json_on_stdout_stands_alone(root, capsys):
    dump = write(root / 'd.json', [(100, 9, box(0), 0.9)])
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    assert evaluate.run(parser.parse_args([
        '--dataset', 'coco_vid', '--root', str(root), '--from', str(dump), '--json', '-',
    ])) == 0
    assert json.loads(capsys.readouterr().out)['frames'] == LENGTH


def test_mistakes_are_named(root, weights):
    with pytest.raises(ValueError, match='stride: 0 is below 1'):
        run(root, '--weights', weights, '--stride', 0)
    with pytest.raises(ValueError, match=r'p: 1.5 is outside \[0, 1\]'):
        run(root, '--weights', weights, '--p', 1.5)
    with pytest.raises(ValueError, match='give it, too'):
        run(root, '--weights', weights, '--latency', '9,2')
    with pytest.raises(SystemExit):
        run(root, '--weights', weights, '--sap', '--latency', '9')
    with pytest.raises(ValueError, match='only scores again'):
        run(root, '--from', root / 'd.json', '--dump', root / 'e.json')
    with pytest.raises(FileNotFoundError, match='train.json'):
        run(root, '--weights', weights, '--split', 'train')
