"""The command ``evaluate`` on a tiny data set, with and without weights."""

import json
import re
import shutil
import subprocess
import sys

from evaluation_runs import box, LENGTH, run, write_moving
import numpy as np
import pytest
import torch

from forecast_detector.boxes import iou, xywh_to_xyxy
from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.cli.command import parse
from forecast_detector.cli.evaluate import EvaluateCommand
from forecast_detector.cli.main import main
from forecast_detector.evaluation import many


@pytest.fixture
def root(tmp_path):
    return write_moving(tmp_path)


def write(path, rows):
    path.write_text(json.dumps([
        {'image_id': i, 'category_id': c, 'bbox': b, 'score': s} for i, c, b, s in rows
    ]))
    return path


def test_detections_of_others_are_scored_without_images_or_weights(root, capsys):
    shutil.rmtree(root / 'val')
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
        'import sys\n'
        'from forecast_detector.cli.command import parse\n'
        'from forecast_detector.cli.evaluate import EvaluateCommand\n'
        'parse(EvaluateCommand, sys.argv[1:]).run()\n'
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


def test_p_bounds_the_run_of_forecasts_or_the_next_one_alone(root, weights):
    options = ('--weights', weights, '--device', 'cpu', '--trace', '--p')
    steps = run(root, *options, 0, '--no-accumulate')[1]['trace']['clips'][0]['frames'][1:]
    single = [step['confidence'] for step in steps]
    p = (min(single) + max(a * b for a, b in zip(single, single[1:]))) / 2
    assert p < min(single)
    alone = run(root, *options, p, '--no-accumulate')[1]
    assert (alone['read_share'], alone['provenance']['accumulate']) == (1 / 8, False)
    together = run(root, *options, p)[1]
    assert (together['read_share'], together['provenance']['accumulate']) == (1 / 2, True)


def test_a_forecast_can_leave_the_state_as_it_was(root, weights):
    # Untrained, the encoders pass on what they see, whatever their state.
    network = load_checkpoint(weights).network
    for encoder in (network.encoder1, network.encoder2):
        torch.nn.init.normal_(encoder.project.weight)
    save_checkpoint(root / 'w.safetensors', network)
    options = ('--weights', root / 'w.safetensors', '--device', 'cpu', '--policy', 'alternate',
               '--read-every', 4)
    dumps = []
    for more in ((), ('--no-commit',)):
        result = run(root, *options, *more, '--dump', root / 'd.json')[1]
        assert result['provenance']['commit_on_forecast'] is not bool(more)
        dumps.append((root / 'd.json').read_text())
        (root / 'd.json').unlink()
    assert dumps[0] != dumps[1]


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
    with pytest.raises(ValueError, match='give --json, too'):
        parse(EvaluateCommand, args).run()


def most_overlap(rows):
    """Find how much two boxes of a class in the first frame overlap at most."""
    first = [row for row in rows if row['image_id'] == rows[0]['image_id']]
    boxes = xywh_to_xyxy(np.array([row['bbox'] for row in first], np.float32))
    labels = np.array([row['category_id'] for row in first])
    overlap = iou(boxes, boxes) * (labels[:, None] == labels)
    return np.triu(overlap, 1).max()


@pytest.mark.parametrize('policy', ['read', 'hold'])
def test_overlap_from_which_boxes_are_dropped_is_the_users(root, weights, policy, tmp_path):
    most = []
    for overlap in (0.1, 0.9):
        result = run(root, '--weights', weights, '--device', 'cpu', '--policy', policy,
                     '--nms-iou', overlap, '--dump', tmp_path / 'dump.json')[1]
        assert result['provenance']['nms_iou'] == overlap
        most.append(most_overlap(json.loads((tmp_path / 'dump.json').read_text())))
    assert most[0] < 0.2 < 0.4 < most[1]
    with pytest.raises(ValueError, match='--nms-iou: needs weights to run'):
        run(root, '--from', tmp_path / 'dump.json', '--nms-iou', 0.5)


def test_a_comparison_tells_the_difference_and_its_interval(root, capsys):
    good = write(root / 'd.json', [(100 + k, 9, box(k), 0.9) for k in range(LENGTH)])
    half = write(root / 'e.json', [(100 + k, 9, box(k), 0.9) for k in range(0, LENGTH, 2)])
    result = run(root, '--from', good, '--versus', half, '--interval')[1]
    # One clip: every resample is the same.
    assert result['interval'] == {'value': 1.0, 'low': None, 'high': None}
    versus = result['versus']
    assert versus['map50'] == {'difference': 0.5, 'low': None, 'high': None}
    assert capsys.readouterr().out.count('without an interval: that takes two clips') == 3


def test_json_on_stdout_stands_alone(root, capsys):
    dump = write(root / 'd.json', [(100, 9, box(0), 0.9)])
    assert parse(EvaluateCommand, [
        '--dataset', 'coco_vid', '--root', str(root), '--from', str(dump), '--json', '-',
    ]).run() == 0
    assert json.loads(capsys.readouterr().out)['frames'] == LENGTH


def refused(*options):
    """Run the command line; it must end with status 2. Returns nothing: read stderr."""
    try:
        status = main(['evaluate', *map(str, options)])
    except SystemExit as stop:  # argparse's own
        status = stop.code
    assert status == 2


@pytest.mark.parametrize(('options', 'message'), [
    (('--stride', 0), "argument --stride: '0': a whole number of at least 1"),
    (('--p', 1.5), r"argument --p: '1.5': a number in \[0, 1\]"),
    (('--p', 'nan'), 'argument --p: .nan.: a number in'),
    (('--read-every', -1), r'whole number in \[1'),
    (('--device', 'gpu'), "'gpu' is none of 'auto'"),
    (('--input-size', 33, 64), "'33': a multiple of 32"),
    (('--workers', 0), 'whole number of at least 1'),
    (('--latency', '9,2'), '--latency: is for --sap; give it, too'),
    (('--anticipate',), '--anticipate: is for --sap'),
    (('--sap', '--latency', '9'), 'has 1; two or three times in milliseconds are expected, '
                                  'READ_MS,FORECAST_MS or .* such as 60,12'),
    (('--sap', '--latency', '9,x'), "'x': a number of at least 0 is expected; two or three times"),
    (('--sap', '--latency', '9,-2'), "'-2': a number of at least 0"),
    (('--sap', '--latency', '9,2,2'), 'AHEAD_MS is for --anticipate'),
    (('--policy', 'read', '--p', 0), '--p: policy read takes none'),
    (('--policy', 'alternate', '--no-accumulate'), '--no-accumulate: policy alternate takes none'),
    (('--policy', 'hold', '--no-commit'), '--no-commit: policy hold takes none'),
    (('--read-every', 3), '--read-every: policy scheduler takes none'),
    (('--policy', 'oracle', '--sap'), 'the oracle knows the truth'),
    (('--policy', 'oracle', '--workers', 2), 'the oracle weighs all frames'),
    (('--trace',), 'give --json, too'),
    (('--truth-topic', '/truth'), 'coco_vid has none'),
    (('--truth-tolerance', 3), 'coco_vid has none'),
    (('--json', ''), "'' is no file name"),
    (('--json', 'ROOT'), 'is no file name; name a file'),
    (('--json', 'ROOT/annotations/val.json/a.json'), 'is no folder that may be written to'),
    (('--json', 'ROOT/x', '--dump', 'ROOT/x'), 'would be written over --json'),
    (('--versus', 'ROOT/x', '--json', 'ROOT/x'), 'which is needed'),
])
def test_wrong_options_are_refused_with_status_2(root, options, message, capsys):
    refused('--weights', '/not/looked/for', '--dataset', 'coco_vid', '--root', root,
            *(str(one).replace('ROOT', str(root)) for one in options))
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize('options', [
    ('--policy', 'kalman'), ('--policy', 'scheduler'), ('--p', 0), ('--read-every', 2),
    ('--max-consecutive-forecasts', 0), ('--no-accumulate',), ('--no-commit',), ('--sap',),
    ('--anticipate',), ('--latency', '3,4'), ('--trace',), ('--workers', 2), ('--ray',),
    ('--device', 'auto'), ('--resize', 'stretch'), ('--input-size', 64, 64), ('--dump', 'e.json'),
])
def test_scoring_again_refuses_what_asks_for_a_run(root, options, capsys):
    refused('--from', root / 'd.json', '--dataset', 'coco_vid', '--root', root, *options)
    assert f'{options[0]}: needs weights to run; --from only' in capsys.readouterr().err


@pytest.mark.parametrize(('options', 'message'), [
    (('--dataset', 'coco_vid'), '--root: dataset coco_vid needs it'),
    (('--dataset', 'rosbag', '--root', 'x', '--split', 'val'), '--split: bags have no splits'),
    (('--dataset', 'synthetic', '--root', 'x'), '--root: the synthetic world is drawn'),
])
def test_options_that_a_data_set_does_not_take_are_refused(options, message, capsys):
    refused('--weights', 'foda', *options)
    assert message in capsys.readouterr().err


def test_frames_without_a_result_are_counted(root, capsys):
    few = write(root / 'few.json', [(100 + k, 9, box(k), 0.9) for k in range(0, LENGTH, 2)])
    run(root, '--from', few)
    assert f'note: {few}: 4 of 8 frames have no result' in capsys.readouterr().err


def test_a_missing_ray_is_named_before_anything_is_loaded(root, monkeypatch, capsys):
    monkeypatch.setattr(many, 'find_spec', lambda name: None)
    assert main(['evaluate', '--weights', 'not there', '--dataset', 'coco_vid', '--ray',
                 '--root', str(root)]) == 1
    assert 'pip install' in capsys.readouterr().err


def test_what_is_not_there_is_an_error_of_status_1(root, weights, capsys):
    options = ['--dataset', 'coco_vid', '--root', str(root)]
    for more, message in (
        (['--weights', str(weights), '--split', 'train'], 'train.json'),
        (['--weights', str(root)], 'no file'),
        (['--from', str(root / 'none.json')], 'none.json: no such file'),
        (['--from', str(root)], 'no such file; name one as --dump writes it'),
        (['--from', ''], 'no such file'),
        # Named before the run that it is to be compared with.
        (['--weights', str(weights), '--versus', str(root / 'none.json')], 'no such file'),
        (['--weights', str(weights), '--versus', str(root / 'annotations/val.json')],
         'holds annotations, not results'),
    ):
        assert main(['evaluate', *options, *more]) == 1
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith('forecast-detector: error: ') and message in error


def test_results_of_other_images_are_counted_and_nothing_else_is_an_error(root, capsys):
    rows = [(100 + k, 9, box(k), 0.9) for k in range(LENGTH)]
    dump = write(root / 'd.json', [*rows, (7, 9, box(0), 0.9), (8, 9, box(0), 0.9)])
    result = run(root, '--from', dump)[1]
    assert result['map50'] == 1.0
    about = result['provenance']
    assert (about['results'], about['results_elsewhere'], about['results_foreign']) == (10, 2, 0)
    assert '2 of its 10 results are for images that are not measured' in capsys.readouterr().err
    with pytest.raises(ValueError, match='none of its 2 results is for an image of this data'):
        run(root, '--from', write(root / 'd.json', [(7, 9, box(0), 0.9), (8, 9, box(0), 0.9)]))
    assert run(root, '--from', write(root / 'd.json', []))[1]['map50'] == 0.0
    assert 'holds no results; all objects count as missed' in capsys.readouterr().err
