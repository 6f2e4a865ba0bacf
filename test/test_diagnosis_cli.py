"""The diagnose command: mistakes come before any reading; no cut costs only the cuts."""

import json

from evaluation_samples import NoisyClip
import numpy as np
import pytest

from forecast_detector.cli.command import parse
from forecast_detector.cli.diagnose import DiagnoseCommand
from forecast_detector.cli.main import main
from forecast_detector.data import registry as datasets
from forecast_detector.data.base import ClipDataset, Truth


def run(*options):
    return parse(DiagnoseCommand, [
        '--dataset', 'synthetic', '--device', 'cpu', *map(str, options)]).run()


def test_one_clip_has_no_intervals(weights, tmp_path, monkeypatch, capsys):
    pytest.importorskip('matplotlib')
    monkeypatch.setitem(
        datasets.KINDS, 'synthetic',
        lambda place: ClipDataset(('bolt', 'nut'), [NoisyClip('a', 1, 6)]))
    assert run('--weights', weights, '--ahead', 1, '--json', tmp_path / 'd.json',
               '--plot', tmp_path / 'd.png') == 0
    ratio, = json.loads((tmp_path / 'd.json').read_text())['forecast_error']
    assert (ratio['low'], ratio['high']) == (None, None)
    line, = [one for one in capsys.readouterr().out.splitlines() if '1 in a row' in one]
    assert line == f'  1 in a row: {ratio["ratio"]:.3f}, 5 frames'
    assert (tmp_path / 'd.png').stat().st_size > 1000


@pytest.mark.parametrize(('option', 'text'), [
    ('--ahead', "argument --ahead: '0': a whole number of at least 1"),
    ('--read-every', "argument --read-every: '0': a whole number of at least 1"),
    ('--success-iou', '--success-iou: 0.0 is outside (0, 1)'),
    ('--json', '--json'),
])
def test_mistakes_are_refused_before_anything_is_opened(option, text, tmp_path, capsys):
    try:
        status = main(['diagnose', '--dataset', 'synthetic', '--weights', 'not there', option,
                       str(tmp_path) if option == '--json' else '0'])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(('names', 'why'), [
    ('ab', 'no clip after the first has an annotated object'),
    ('a', 'one clip has no cut to another'),
])
def test_without_a_cut_the_rest_is_diagnosed(names, why, weights, tmp_path, monkeypatch, capsys):
    clips = [NoisyClip(name, 1, 6) for name in names]
    for clip in clips[1:]:
        monkeypatch.setattr(clip, 'truth', lambda index: Truth())
    monkeypatch.setitem(
        datasets.KINDS, 'synthetic', lambda place: ClipDataset(('bolt', 'nut'), clips))
    assert run('--weights', weights, '--ahead', 1, '--json', tmp_path / 'd.json') == 0
    result = json.loads((tmp_path / 'd.json').read_text())
    assert result['cuts'] is None
    assert result['classifier'] and result['forecast_error'][0]['frames'] == 5 * len(clips)
    assert f'note: cuts are left out: {why}' in capsys.readouterr().err


def test_what_becomes_of_each_class_is_counted_and_drawn(tmp_path):
    from forecast_detector.diagnosis.mistakes import count, Tally
    from forecast_detector.records.codec import to_plain
    from forecast_detector.report.diagnosis_plots import plot_classes
    from forecast_detector.types import Detections

    labels = ('bolt', 'nut')
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], np.float32)
    truth = Truth(boxes, np.array([0, 0, 1]))
    # On the first object a nut surer than a bolt; on the third a bolt beside it, and a nut.
    found = Detections(
        np.concatenate([boxes[[0, 0, 2]], [[47, 0, 57, 10]]]).astype(np.float32),
        np.array([0.5, 0.9, 0.4, 0.8], np.float32), np.array([0, 1, 1, 0]))
    classes = [Tally() for _ in labels]
    for _ in range(2):
        count(found, truth, classes, labels)
    bolt, nut = (one.record(label) for one, label in zip(classes, labels, strict=True))
    assert to_plain(bolt) == {'label': 'bolt', 'objects': 4, 'right': 0, 'missed': 2,
                    'taken_for': {'nut': 2}, 'alarms': 2}
    assert to_plain(nut) == {'label': 'nut', 'objects': 2, 'right': 2, 'missed': 0,
                   'taken_for': {}, 'alarms': 0}
    plot_classes([bolt, nut], tmp_path / 'classes.svg')
    drawn = (tmp_path / 'classes.svg').read_text()
    assert '<!-- taken for another class -->' in drawn and '<!-- nut -->' in drawn
