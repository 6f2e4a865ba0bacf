"""Commands with ``--reference read``: what reading every frame gives, in the truth's place."""

import json

from evaluation_samples import NoisyClip, there
import numpy as np
import pytest
from recording_samples import write_bag
from report_samples import make_run, make_sweep, write
from video_samples import write_video

from forecast_detector.cli.command import parse
from forecast_detector.cli.diagnose import DiagnoseCommand
from forecast_detector.cli.evaluate import EvaluateCommand
from forecast_detector.cli.main import main
from forecast_detector.cli.sweep import SweepCommand
from forecast_detector.data import registry as datasets
from forecast_detector.data.base import ClipDataset, Truth
from forecast_detector.report.page import build_from

blind = pytest.mark.parametrize('steered', [0], ids=['blind'], indirect=True)
LABELS = ('bolt', 'nut')
READ = ('--reference', 'read', '--reference-score', '0.05', '--score-threshold', '0.05')


class UnseenClip(NoisyClip):
    """A clip that nobody looked at."""

    def truth(self, index):
        return Truth(annotated=False)


class HalfSeenClip(NoisyClip):
    """A clip of which one object is annotated, in every other frame."""

    def truth(self, index):
        return Truth(annotated=False) if index % 2 else there((5, 5, 45, 45, 0, 0))


@pytest.fixture
def measure(steered, tmp_path, monkeypatch):
    """Run a command on clips; returns its status and its JSON."""
    def run(kind, clips, *options, labels=LABELS):
        monkeypatch.setitem(
            datasets.KINDS, 'synthetic', lambda place: ClipDataset(labels, clips))
        status = parse(kind, [
            '--weights', str(tmp_path / 'w.safetensors'), '--device', 'cpu', '--dataset',
            'synthetic', '--json', str(tmp_path / 'out.json'), *map(str, options)]).run()
        return status, json.loads((tmp_path / 'out.json').read_text())
    return run


def clips(kind=UnseenClip, length=9):
    return [kind(name, seed, length) for seed, name in enumerate('ab')]


def replay(bag, weights, out, *options):
    """Replay a bag; returns the report."""
    assert main(['replay', '--bag', str(bag), '--weights', str(weights), '--device', 'cpu',
                 '--out', str(out), *map(str, options)]) == 0
    return json.loads((out / 'report.json').read_text())


@blind
def test_evaluate_needs_no_annotations(measure, capsys):
    _, read = measure(EvaluateCommand, clips(), *READ, '--policy', 'read', '--interval')
    assert (read['map50'], read['map50_tolerant'], read['map50_95']) == (None, None, None)
    assert (read['agreement50'], read['recall50']) == (1.0, 1.0)
    assert read['frames_to_find'] == 0
    assert (read['annotated'], read['annotated_recall50']) == (0, None)
    assert read['interval']['low'] == 1.0
    assert (read['provenance']['reference'], read['provenance']['reference_score']) == (
        'read', 0.05)
    out = capsys.readouterr().out
    assert 'agreement@0.5' in out and 'mAP' not in out
    _, copy = measure(EvaluateCommand, clips(), *READ, '--policy', 'copy', '--read-every', 6)
    assert 0 < copy['agreement50'] < 1


@blind
def test_it_is_what_the_same_weights_read_on_the_same_frames(measure, tmp_path):
    """At stride 3 the frames between are not read, neither for the reference."""
    dump = tmp_path / 'd.json'
    options = (*READ, '--stride', 3, '--policy', 'read', '--dump', dump)
    numbered = clips()
    for place, clip in enumerate(numbered):
        clip.image_id = lambda index, place=place: 100 * place + index
    _, whole = measure(EvaluateCommand, numbered, *options)
    assert (whole['agreement50'], whole['frames']) == (1.0, 6)
    _, again = measure(EvaluateCommand, numbered, *READ, '--stride', 3, '--policy', 'hold',
                       '--versus', dump)
    gap = again['versus']['agreement50']['difference']
    assert gap == pytest.approx(again['agreement50'] - 1) and gap < 0
    assert again['versus']['map50'] is None


@blind
def test_what_is_annotated_in_part_is_counted_beside(measure, capsys):
    for policy in ('read', 'hold'):
        _, found = measure(EvaluateCommand, clips(HalfSeenClip), *READ, '--policy', policy)
        assert found['annotated'] == 2 * 5
        assert 0 <= found['annotated_recall50'] <= 1 and 0 <= found['annotated_overlap'] <= 1
    by_truth = measure(EvaluateCommand, clips(HalfSeenClip), '--policy', 'read')[1]
    assert (by_truth['agreement50'], by_truth['annotated_recall50']) == (None, None)
    assert '10 of 18 frames are annotated, the others are not scored' in capsys.readouterr().err


@blind
def test_foreign_classes_do_no_harm(measure, caplog):
    _, found = measure(EvaluateCommand, clips(HalfSeenClip), *READ, '--policy', 'hold',
                       labels=('whale', 'nut'))
    assert (found['annotated_recall50'], found['agreement50'] is None) == (None, False)
    assert 'passed over: whale' in caplog.text
    with pytest.raises(ValueError, match='are not those of the weights'):
        measure(EvaluateCommand, clips(HalfSeenClip), labels=('whale', 'nut'))


@blind
@pytest.mark.parametrize(('options', 'key'), [
    (('--policy', 'oracle', '--read-every', '3'), 'agreement50'),
    (('--policy', 'hold', '--sap', '--latency', '10,10'), 'streaming_agreement50'),
])
def test_oracle_and_streaming_go_by_it(options, key, measure):
    found = measure(EvaluateCommand, clips(), *READ, *options)[1]
    assert 0 < found[key] <= 1 and found['sap50'] is None


@blind
def test_a_trace_tells_losses_by_it(measure):
    found = measure(EvaluateCommand, clips(), *READ, '--policy', 'hold', '--trace')[1]
    losses = [frame['loss'] for clip in found['trace']['clips'] for frame in clip['frames']]
    assert None not in losses and max(losses) > 0


@blind
def test_sweep_reads_each_frame_once(measure, tmp_path, capsys):
    unseen = clips()
    _, found = measure(SweepCommand, unseen, *READ, '--baselines', 'alternate', 'hold',
                       '--want-loss', 0.5, '--plot', tmp_path / 's.png')
    # Timing decodes again: READs and the first frames, once a kind of step.
    assert max(clip.decoded for clip in unseen) <= 3 * 9
    full = next(q for q in found['points'] if q['p'] == 1)
    assert full['agreement50'] == pytest.approx(1, abs=0.01) and full['map50'] is None
    held = [q for q in found['points'] if q['policy'] == 'hold']
    assert all(q['agreement50'] < 1 and q['recall50'] < 1 for q in held)
    assert found['recommended']['agreement50'] >= full['agreement50'] - 0.5
    assert found['differences']
    out = capsys.readouterr().out
    assert 'agreement@0.5' in out and 'recall' in out and 'mAP' not in out


@blind
def test_diagnose_goes_by_it(measure, capsys):
    _, found = measure(DiagnoseCommand, clips(), *READ, '--ahead', 1, '--read-every', 3)
    assert found['classifier'][0]['trials'] == 2 * 8
    assert found['classes'] == []
    assert {cut['map50'] for cut in found['cuts']} == {None}
    assert all(0 <= cut['agreement50'] <= 1 for cut in found['cuts'])
    assert 'agreement@0.5' in capsys.readouterr().out


def test_options_that_ask_for_nothing_are_refused(tmp_path, capsys):
    rest = ['--dataset', 'synthetic', '--reference-score', '0.5']
    assert main(['evaluate', '--weights', 'x', *rest]) == 2
    assert '--reference-score: is for --reference read' in capsys.readouterr().err
    assert main(['evaluate', '--from', 'x', *rest, '--reference', 'read']) == 2
    assert 'needs weights to run' in capsys.readouterr().err
    assert main(['diagnose', '--weights', 'x', *rest, '--reference', 'read', '--plot-classes',
                 str(tmp_path / 'c.png')]) == 2
    assert '--plot-classes: reading every frame' in capsys.readouterr().err


@blind
def test_plain_videos_are_measured_and_broken_ones_named(steered, tmp_path, capsys):
    folder = tmp_path / 'videos'
    (folder / 'frames').mkdir(parents=True)
    write_video(folder / 'a.mp4')
    (folder / 'b.mp4').write_bytes(b'no video')
    for k in range(4):
        (folder / 'frames' / f'{k}.ppm').write_bytes(
            b'P6 32 24 255 ' + np.full((24, 32, 3), 60 * k, np.uint8).tobytes())
    out = tmp_path / 'out.json'
    options = ['--weights', str(tmp_path / 'w.safetensors'), '--device', 'cpu', '--dataset',
               'video', '--policy', 'read', '--json', str(out), *READ]
    assert main(['evaluate', '--root', str(folder), *options]) == 3
    found = json.loads(out.read_text())
    assert (found['clips'], found['frames'], len(found['skipped'])) == (2, 14, 1)
    assert main(['evaluate', '--root', str(folder / 'a.mp4'), *options]) == 0
    assert json.loads(out.read_text())['frames'] == 10
    assert main(['evaluate', '--root', str(tmp_path / 'nothing'), *options]) == 1
    assert 'neither a video nor a folder with videos' in capsys.readouterr().err


@blind
def test_bags_in_processes_give_the_figures_of_one(steered, tmp_path):
    folder, results = tmp_path / 'bags', []
    for name in 'ab':
        write_bag(folder / name, truth=None)
    for workers in ('1', '2'):
        out = tmp_path / f'{workers}.json'
        assert main(['evaluate', '--weights', str(tmp_path / 'w.safetensors'), '--device', 'cpu',
                     '--dataset', 'rosbag', '--root', str(folder), '--policy', 'hold', *READ,
                     '--workers', workers, '--json', str(out)]) == 0
        results.append(json.loads(out.read_text()))
    for key in ('agreement50', 'by_speed', 'by_class', 'recall50', 'frames_to_find'):
        assert results[0][key] == results[1][key]


@blind
def test_replay_is_judged_by_a_pass_of_its_own(steered, tmp_path):
    bag = write_bag(tmp_path / 'b', truth=None, frames=9)
    weights = tmp_path / 'w.safetensors'
    read = replay(bag, weights, tmp_path / 'r', *READ, '--policy', 'read', '--loop', 2)
    assert (read['agreement50'], read['map50'], read['clips']) == (1.0, None, 2)
    plain = replay(bag, weights, tmp_path / 'p', '--policy', 'alternate', '--read-every', 4)
    judged = replay(bag, weights, tmp_path / 'j', *READ, '--policy', 'alternate',
                       '--read-every', 4)
    assert plain['agreement50'] is None and 0 <= judged['agreement50'] <= 1
    assert judged['read_share'] == plain['read_share'], 'the reference pass leaves no past'


def test_reports_name_what_was_judged_by(tmp_path):
    by = {'reference': 'read', 'reference_score': 0.4, 'score_threshold': 0.3, 'sha256': 'abc'}
    run = make_run(truth=False, trace=False, **by)
    run.update(agreement50=0.8, recall50=0.7, by_class={'cat': {'agreement50': 0.8}})
    sweep = make_sweep()
    sweep['provenance'].update(by)
    for point in (*sweep['points'], sweep['recommended']):
        point.update(agreement50=point['map50'], map50=None, map50_tolerant=None)
    text = build_from(write(tmp_path, a=run, s=sweep))
    assert 'agreement@0.5' in text and 'mAP' not in text.split('<main>')[1]
    assert 'recall at score 0.3' in text
    with pytest.raises(ValueError, match='a.json: was judged by read, not by truth'):
        build_from([tmp_path / 'a.json'], 'truth')
    assert build_from([tmp_path / 'a.json'], 'read')
    text = build_from(write(tmp_path, a=run, b=make_run(trace=False)))
    assert 'judged by' in text and 'gained' not in text
    assert 'reached mAP 60.0' in text and 'judged by something else' in text
