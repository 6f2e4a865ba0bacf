"""The command line: exit status, one-line errors, JSON and nothing else on stdout."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from video_samples import write_video

from forecast_detector.annotate import VideoWriter
from forecast_detector.bags import BagWriter
from forecast_detector.cli.command import parse
from forecast_detector.cli.common import clear_results
from forecast_detector.cli.detect import DetectCommand
from forecast_detector.cli.main import COMMANDS, main
from forecast_detector.cli.replay import ReplayCommand
from forecast_detector.data.synthetic import SyntheticWorld
from forecast_detector.node import NodeConfig


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'clip.mp4'
    world = SyntheticWorld(5, 12, (96, 64))
    with VideoWriter(path, 15.0) as writer:
        for index in range(12):
            writer.write(world.read(index))
    return path


@pytest.mark.parametrize('command', [*COMMANDS, None])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*([command] if command else []), '--help'])
    assert stop.value.code == 0
    assert 'usage: forecast-detector' in capsys.readouterr().out


def test_the_node_and_the_commands_on_recordings_take_the_same_weights():
    commands = parse(DetectCommand, ['clip.mp4']), parse(ReplayCommand, ['--bag', 'bag'])
    assert [command.weights for command in commands] == [NodeConfig().weights] * 2 == ['coco'] * 2


def test_an_unknown_command_is_an_error(capsys):
    with pytest.raises(SystemExit) as stop:
        main(['fly'])
    assert stop.value.code != 0
    assert 'fly' in capsys.readouterr().err


def test_info_shows_config_classes_hash_and_licence(tiny_weights, capsys):
    assert main(['info', str(tiny_weights), '--json', '-']) == 0
    values = json.loads(capsys.readouterr().out)
    assert values['labels'] == ['cat', 'dog']
    assert values['info']['licence'] == 'none'
    assert len(values['sha256']) == 64
    assert values['config']['backbone'] == 'efficientnet_lite0'
    assert main(['info', str(tiny_weights)]) == 0
    assert values['sha256'] in capsys.readouterr().out


def test_detect_writes_a_video_and_json_of_every_frame(video, tiny_weights, tmp_path, capsys):
    out = tmp_path / 'out.mp4'
    arguments = ['detect', str(video), '--weights', str(tiny_weights), '--device', 'cpu']
    assert main([*arguments, '--p', '0', '--video', str(out), '--json', '-']) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report['read'], report['forecast'], report['skipped']) == (1, 11, 0)
    assert [frame['index'] for frame in report['frames']] == list(range(12))
    assert report['frames'][0]['confidence'] is None
    capture = cv2.VideoCapture(str(out))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    capture.read()
    _, bgr = capture.read()
    # The second frame is a forecast: its border is red.
    assert bgr[1, 48, 2] > bgr[1, 48, 0] + 60


@pytest.mark.parametrize(('options', 'asked'), [
    (('--policy', 'flow', '--read-every', '3'), ('flow', None, 3)),
    (('--policy', 'scheduled_flow', '--p', '0', '--max-consecutive-forecasts', '2'),
     ('scheduled_flow', 0.0, None)),
])
def test_detect_carries_boxes_between_reads(options, asked, video, tiny_weights, capsys):
    arguments = ['detect', str(video), '--weights', str(tiny_weights), '--device', 'cpu']
    assert main([*arguments, '--score-threshold', '0', '--json', '-', *options]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report['policy'], report['p'], report['read_every']) == asked
    frames = report['frames']
    assert ''.join(frame['action'][0] for frame in frames) == 'RFF' * 4
    for read, *carried in zip(*[iter(frames)] * 3):
        # Boxes of the READ, whose scores fall by doubt, and do not rise.
        most = max(one['score'] for one in read['detections'])
        for frame in carried:
            assert 0 < len(frame['detections']) <= len(read['detections'])
            assert all(one['score'] <= most for one in frame['detections'])


def test_detect_reads_bags_and_passes_over_frames_that_cannot_be_used(
    tiny_weights, tmp_path, capsys
):
    bag = tmp_path / 'bag'
    with BagWriter(bag) as writer:
        for index in range(4):
            image = np.full((64, 96, 3), 40 * index, np.uint8)
            jpeg = cv2.imencode('.jpg', image)[1].tobytes()
            data = jpeg[:80] if index == 2 else jpeg
            writer.compressed('/camera/compressed', data, 'jpeg', index * 10**8)
    arguments = ['detect', str(bag), '--weights', str(tiny_weights), '--p', '1', '--json', '-']
    assert main([*arguments, '--device', 'cpu']) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert (report['read'], report['skipped']) == (3, 1)
    assert [frame['stamp_ns'] for frame in report['frames']] == [0, 10**8, 3 * 10**8]
    assert '1 of 4 messages of /camera/compressed' in captured.err
    assert 'at 200000000 ns' in captured.err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['detect', '/nowhere.mp4', '--weights', 'W'], 'no such video, folder or bag'),
        (['detect', 'V', '--weights', '/nowhere'], 'no file'),
        (['detect', 'V', '--weights', 'W', '--device', 'cuda:99'], 'CUDA devices'),
        (['info', 'V'], 'not a readable .safetensors'),
    ],
)
def test_mistakes_are_one_line_and_status_1(arguments, message, video, tiny_weights, capsys):
    places = {'V': str(video), 'W': str(tiny_weights)}
    assert main([places.get(word, word) for word in arguments]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('forecast-detector: error: ')
    assert re.search(message, error)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['detect', 'V', '--topic', '/a'], '--topic is for bags'),
        (['detect', 'V', '--p', '2'], "argument --p: '2': a number in"),
        (['detect', 'V', '--p', 'nan'], 'argument --p'),
        (['detect', 'V', '--max-consecutive-forecasts', '-1'], r'whole number in \[0, 1000000\]'),
        (['detect', 'V', '--read-every', '2'], 'policy auto takes none'),
        (['detect', 'V', '--policy', 'flow', '--p', '0.5'], '--p: policy flow takes none'),
        (['detect', 'V', '--policy', 'scheduled_flow', '--read-every', '2'], 'flow takes none'),
        (['detect', 'V', '--policy', 'hold'], 'invalid choice'),
        (['detect', 'V', '--input-size', '0', '32'], r'a multiple of 32 in \[32, 2048\]'),
        (['detect', 'V', '--video', 'V'], 'would be written over .*clip.mp4'),
        (['detect', 'V', '--json', '/'], "--json: '/' is no file name"),
        (['detect', 'V', '--budget-target', '0.3'], '--budget-target: is for --budget'),
        (['replay', '--bag', 'V', '--budget', 'none', '--budget-target', '0.3'], 'for --budget'),
        (['info', 'W', '--json', 'W'], 'would be written over'),
        (['demo', '--topic', '/a'], '--topic: is for --bag'),
        (['demo', '--frames', '-3'], 'whole number of at least 0'),
        (['demo', '--rate', '-3'], 'a number of at least 0'),
        (['replay', '--bag', 'V', '--rate', '2'], '--rate: is for --live'),
        (['replay', '--bag', 'V', '--live', '--rate', '0'], '0 is for --lossless'),
        (['replay', '--bag', 'V', '--loop', '0'], 'whole number of at least 1'),
        (['replay', '--bag', 'V', '--read-every', '2'], 'policy auto takes none'),
        (['replay', '--bag', 'V', '--policy', 'alternate', '--p', '0'], 'alternate takes none'),
        (['replay', '--bag', 'V', '--no-truth', '--truth-topic', '/t'], 'with --no-truth'),
        (['replay', '--bag', 'V', '--json', 'V'], 'would be written over'),
        (['sweep', '--weights', 'W', '--dataset', 'synthetic', '--want-loss', 'nan'], 'in .0, 1'),
        (['sweep', '--weights', 'W', '--dataset', 'synthetic', '--plot', 'a.xyz'], 'expected one'),
        (['diagnose', '--weights', 'W', '--dataset', 'synthetic', '--p', '-1'], 'in .0, 1'),
    ],
)
def test_wrong_options_are_status_2_before_anything_is_loaded(
    arguments, message, video, tiny_weights, capsys, monkeypatch
):
    monkeypatch.setattr('forecast_detector.checkpoint.load_checkpoint', None)
    places = {'V': str(video), 'W': str(tiny_weights)}
    try:
        status = main([places.get(word, word) for word in arguments])
    except SystemExit as stop:  # argparse's own
        status = stop.code
    assert status == 2
    assert re.search(message, capsys.readouterr().err.strip().splitlines()[-1])


@pytest.mark.parametrize('source', ['old', 'old/bag', 'old/bag/bag.mcap', 'old/annotated.mp4'])
def test_results_are_never_written_over_their_source(tmp_path, source):
    (tmp_path / 'old/bag').mkdir(parents=True)
    for name in ('old/bag/bag.mcap', 'old/annotated.mp4'):
        (tmp_path / name).touch()
    names = ('bag', 'annotated.mp4')
    with pytest.raises(ValueError, match='would write over'):
        clear_results(tmp_path / 'old', names, tmp_path / source)
    assert (tmp_path / 'old/bag/bag.mcap').exists()
    assert (tmp_path / 'old/annotated.mp4').exists()


def test_only_the_results_of_an_earlier_run_are_removed(tmp_path):
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'mine.txt').touch()
    clear_results(tmp_path, ('bag', 'report.json'), tmp_path.parent / 'source.mp4')
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']


def test_progress_hardly_shows_in_a_log(tmp_path):
    # Seconds of work: a bar on a terminal is drawn ten times in each.
    write_video(tmp_path / 'a.mp4', [20] * 80)
    done = subprocess.run(
        [sys.executable, '-m', 'forecast_detector', 'detect', 'a.mp4', '--weights', 'synthetic',
         '--p', '1', '--device', 'cpu', '--json', 'a.json'],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )
    # Its beginning and its end.
    assert 1 <= done.stderr.count('frame/s]') <= 4
