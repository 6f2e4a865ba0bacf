"""The diagnose command: mistakes come before any reading; no cut costs only the cuts."""

import argparse
import json

import pytest
from test_evaluation_cli import weights  # noqa: F401 (a fixture)
from test_evaluation_sweep import NoisyClip

from forecast_detector.cli import diagnose
from forecast_detector.data.base import ClipDataset, Truth
from forecast_detector.evaluation import datasets


def run(*options):
    parser = argparse.ArgumentParser()
    diagnose.add_arguments(parser)
    return diagnose.run(parser.parse_args([
        '--dataset', 'synthetic', '--device', 'cpu', *map(str, options)]))


@pytest.mark.parametrize(('option', 'text'), [
    ('--ahead', 'ahead: 0 is below 1'), ('--read-every', 'read_every: 0 is below 1'),
])
def test_mistakes_are_refused_before_anything_is_opened(option, text):
    with pytest.raises(ValueError, match=text):
        run('--weights', 'not there', option, 0)


@pytest.mark.parametrize(('names', 'why'), [
    ('ab', 'no clip after the first has an annotated object'),
    ('a', 'one clip has no cut to another'),
])
def test_without_a_cut_the_rest_is_diagnosed(names, why, weights, tmp_path, monkeypatch, capsys):  # noqa: F811,E501
    clips = [NoisyClip(name, 1, 6) for name in names]
    for clip in clips[1:]:
        monkeypatch.setattr(clip, 'truth', lambda index: Truth())
    monkeypatch.setattr(
        datasets, '_load', lambda *args, **more: ClipDataset(('bolt', 'nut'), clips))
    assert run('--weights', weights, '--ahead', 1, '--json', tmp_path / 'd.json') == 0
    result = json.loads((tmp_path / 'd.json').read_text())
    assert result['cuts'] is None
    assert result['classifier'] and result['forecast_error'][0]['frames'] == 5 * len(clips)
    assert f'note: cuts are left out: {why}' in capsys.readouterr().err
