"""Runs that were not measured alike say so, and are not held against each other."""

import pytest
from report_samples import make_run, make_sweep, Page, write

from forecast_detector.records import read
from forecast_detector.report.conditions import conditions, data, ordinal
from forecast_detector.report.page import build_from
from forecast_detector.report.run import lettered

MACHINE = {'machine': 'two cores', 'device': 'cpu'}


def found(tmp_path, *runs, sweep=None):
    """Load runs (and a sweep) and give what differs, by name."""
    paths = write(tmp_path, **{f'run{k}': run for k, run in enumerate(runs)})
    named = conditions(lettered([(str(path), read(path)) for path in paths]),
                      read(write(tmp_path, sweep=sweep)[0]) if sweep else None)
    return {row.name: row.values for row in named.differing} if named else None


def test_policies_alone_are_no_difference(tmp_path):
    one, two = make_run(**MACHINE), make_run(policy='alternate', p=None, read_every=3, **MACHINE)
    assert found(tmp_path, one, two, sweep=make_sweep()) is None
    assert found(tmp_path, one) is None


@pytest.mark.parametrize(('change', 'expected'), [
    ({'stride': 3}, {'data': ['coco_vid val', 'coco_vid val, every 3rd frame']}),
    ({'split': 'train'}, {'data': ['coco_vid val', 'coco_vid train']}),
    ({'root': '/data/yard/'}, {'data': ['coco_vid val', 'yard val']}),
    ({'weights': 'out/mine.safetensors', 'sha256': 'abcdef0123456'},
     {'weights': ['foda', 'mine (abcdef01)']}),
    ({'input_size': [256, 256]}, {'network input': ['320 × 320', '256 × 256']}),
    ({'resize': 'trim'}, {'network input': ['320 × 320', '320 × 320, trimmed to the image']}),
    ({'device': 'cuda:0'}, {'time measured on': ['two cores, cpu', 'two cores, cuda:0']}),
    ({'workers': 4},
     {'time measured on': ['two cores, cpu', 'two cores, cpu, workers that shared it']}),
    ({'mode': 'live'},
     {'time measured on': ['two cores, cpu', 'two cores, cpu, live replay, decoding included']}),
])
def test_what_differs_is_named_for_each_run(tmp_path, change, expected):
    assert found(tmp_path, make_run(**MACHINE), make_run(**{**MACHINE, **change})) == expected


def test_other_frames_of_the_same_data_differ(tmp_path):
    fewer = {**make_run(), 'frames': 50}
    assert found(tmp_path, make_run(), fewer) == {
        'data': ['coco_vid val, 60 frames', 'coco_vid val, 50 frames']}


def test_a_sweep_of_other_weights_is_named(tmp_path):
    sweep = {**make_sweep(), 'provenance': {'weights': 'blind'}}
    assert found(tmp_path, make_run(), sweep=sweep) == {'weights': ['foda', 'blind']}


def test_provenance_marks_what_differs_and_leaves_out_what_nobody_asked_for(tmp_path):
    page = Page(build_from(write(
        tmp_path, a=make_run(mode='live', lossless=True, ray=None, anticipates=False),
        b=make_run(mode='live', lossless=False, p=0.5, anticipates=False))))
    assert len(page.all('tr', 'differs')) == 1 and 'lossless yes no' in page.text
    assert 'anticipates' not in page.text and 'ray' not in page.text.split()


def test_a_sweep_that_left_bags_out_saw_other_frames_and_names_them(tmp_path):
    sweep = {**make_sweep(), 'frames': 40, 'skipped': [{'name': 'b.mcap', 'reason': 'is cut'}],
             'provenance': {'dataset': 'coco_vid', 'split': 'val'}}
    assert found(tmp_path, make_run(), sweep=sweep) == {
        'data': ['coco_vid val, 60 frames', 'coco_vid val, 40 frames']}
    text = Page(build_from(write(tmp_path, a=make_run(), sweep=sweep))).text
    assert 'Not drawn, as they saw other frames: A.' in text and 'b.mcap is cut' in text


def test_what_is_not_named_differs_from_nothing(tmp_path):
    again = make_run(trace=False)
    again['provenance'] = {'from': 'dump.json', 'dataset': 'coco_vid', 'split': 'val'}
    assert found(tmp_path, make_run(**MACHINE), again) is None


def test_runs_of_other_weights_are_called_by_them(tmp_path):
    text = Page(build_from(write(tmp_path, a=make_run(), b=make_run(weights='out/b.safetensors'))))
    assert 'foda, scheduler, p = 0.5' in text.text and 'b, scheduler, p = 0.5' in text.text
    alone = Page(build_from(write(tmp_path, a=make_run(), b=make_run(p=0.7)))).text
    assert 'foda, scheduler' not in alone


def test_figures_of_other_frames_are_not_subtracted(tmp_path):
    alike, other = make_run(**MACHINE), make_run(**MACHINE, stride=2)
    for run in (alike, other):
        run.update(map50=0.5, ms_per_frame=34.0)
    text = Page(build_from(write(tmp_path, a=make_run(**MACHINE), b=alike, c=other))).text
    assert 'Run B read 35 %, took 2.0 times as long and lost 10.0 points of mAP.' in text
    assert 'Run C read 35 %, took 2.0 times as long and reached mAP 50.0 % on other frames' in text
    assert text.count('−10.0') == 1 and text.count('+17.0') == 2
    assert 'Not measured alike' in text and 'every 2nd frame' in text
    assert 'Not drawn, as they saw other frames: C.' in text
    assert 'foda on coco_vid val Run A' in text
    assert 'Accuracies of different frames' in text and 'Nor can times' not in text


def test_times_of_other_machines_are_not_subtracted_or_drawn(tmp_path):
    html = build_from(write(
        tmp_path, a={**make_run(**MACHINE), 'ms_per_frame': 17.0},
        b={**make_run(machine='a robot'), 'ms_per_frame': 34.0},
    ))
    text = Page(html).text
    assert '17 ms per frame' in html and '34 ms per frame' not in html
    assert 'times as long' not in text and '+17.0' not in text
    assert 'Times that were taken in different ways or places cannot be held' in text
    assert 'Accuracies of different' not in text


@pytest.mark.parametrize(('modes', 'named', 'missing'), [
    ([None], ['Times are without the decoding'], ['Times are with the']),
    (['offline'], ['Times are with the decoding of images (a replay does that within the step)'],
     ['without the decoding']),
    ([None, 'live'], ['without the decoding of images', 'with the decoding of images (a replay)'],
     ['Times are with']),
])
def test_each_kind_of_run_says_whether_decoding_is_in_its_times(tmp_path, modes, named, missing):
    runs = {f'r{k}': make_run(**({'mode': mode} if mode else {})) for k, mode in enumerate(modes)}
    text = Page(build_from(write(tmp_path, **runs))).text
    assert all(words in text for words in named)
    assert not any(words in text for words in missing)


def test_data_are_named_by_folder_split_and_stride():
    assert data({'dataset': 'rosbag', 'root': '/bags/yard', 'split': 'val'}) == 'yard'
    assert data({'dataset': 'synthetic', 'split': 'val', 'stride': 2}) == (
        'synthetic val, every 2nd frame')
    assert data({}) == ''
    assert [ordinal(n) for n in (2, 3, 4, 11, 21, 112)] == [
        '2nd', '3rd', '4th', '11th', '21st', '112th']
