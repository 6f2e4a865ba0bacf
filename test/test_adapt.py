"""Command adapt: what is kept aside, before and after, what is written, and what is not."""

from dataclasses import replace
import json
import signal
from types import SimpleNamespace

from conftest import make_tiny_network
import cv2
from distillation_samples import (
    CPU,
    LEARNER,
    make_reader,
    Moving,
    save_start,
    scene,
    SMALL,
    tiny_recipe,
    world,
    write_scenes,
)
import numpy as np
from pretend_gpu import GPU, PretendGPU
import pytest
from recording_samples import STEP_NS
import torch

from forecast_detector.adaptation import plan, run
from forecast_detector.adaptation.compare import Compared, Comparison
from forecast_detector.adaptation.files import forget
from forecast_detector.adaptation.plan import estimated_minutes, fitted, Plan, scaled
from forecast_detector.adaptation.recordings import cut, digest, first_aside, stretches
from forecast_detector.adaptation.run import with_start
from forecast_detector.adaptation.verdict import judge
from forecast_detector.bags import BagWriter
from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.cli.main import main
from forecast_detector.data.base import Truth
from forecast_detector.data.views import JudgedClip
from forecast_detector.engine import machinery
from forecast_detector.evaluation.points import Point
from forecast_detector.evaluation.trade_off import Wish
from forecast_detector.model.yolox.network import YoloxNetwork
from forecast_detector.records.evaluation import Found, Interval, Metrics
from forecast_detector.shipped import find
from forecast_detector.training.distillation import forecast, trainer

RECIPE = """
teacher: itself
model: {correction: 4, scheduler: 4}
forecast: {steps: 40, batch_size: 2, frames: 2, lr: 0.08, ema: 0.5, thinning: 1,
           weight_decay: 0.0, objects: 0.0, classes: 0.0, boxes: 0.0, scores: 0.0}
scheduler: {steps: 10, batch_size: 8, rollouts: 8, frames: 4, lr: 0.01}
"""
NOTHING = RECIPE.replace('steps: 40', 'steps: 0').replace('steps: 10', 'steps: 0')
SHORT = RECIPE.replace('steps: 40', 'steps: 6').replace('steps: 10', 'steps: 3')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Weights whose forecasts are spoilt, and two videos."""
    folder = tmp_path_factory.mktemp('adapt')
    spoilt = make_reader(LEARNER)
    with torch.no_grad():
        for layer in spoilt.correction.project:
            layer.bias.copy_(2.0 * (torch.arange(len(layer.bias)) % 2) - 1.0)
    save_start(folder / 'spoilt.safetensors', network=spoilt)
    write_scenes(folder / 'a.mp4', 60, every=8)
    write_scenes(folder / 'short.mp4', 12)
    return folder


@pytest.fixture
def adapt(folder, tmp_path, capsys):
    """Run the command; returns its status, stdout and stderr."""
    def call(*options, recipe=RECIPE, source=('--video', folder / 'a.mp4'), device='cpu',
             policy='scheduler'):
        (tmp_path / 'tiny.yaml').write_text(recipe)
        status = main([*map(str, (
            'adapt', '--weights', folder / 'spoilt.safetensors', '--out',
            tmp_path / 'out.safetensors', '--config', tmp_path / 'tiny.yaml', '--device', device,
            '--reference-score', 0.2, '--score-threshold', 0.15, '--policy', policy, *source,
            *options))])
        return status, *capsys.readouterr()
    return call


def test_it_helps_weights_whose_forecasts_are_spoilt(adapt, folder, tmp_path):
    status, out, err = adapt('--json', tmp_path / 'out.json')
    assert status == 0, out
    assert 'it helps: at a READ share of 0.25 agreement is better by' in out
    assert 'READs are as before' in out and 'out.safetensors is written' in err
    found = json.loads((tmp_path / 'out.json').read_text())
    assert found['helps'] and found['judged_at'] == 0.25
    (recording,) = found['recordings']
    assert recording['sha256'] == digest(folder / 'a.mp4')
    assert (recording['frames'], recording['learnt'], recording['aside']) == (60, 48, 12)
    assert found['provenance']['aside_frames'] == 12
    assert found['steps'] == {'forecast': 40, 'scheduler': 10}
    assert 'trained: forecast 40 steps, scheduler 10 steps' in out
    for row in found['rows']:
        before, after = row['before'], row['after']
        assert after['read_share'] <= before['read_share'] + 1e-9
        assert row['gain'] == pytest.approx(after['agreement50'] - before['agreement50'])
        assert row['low'] is None  # one stretch says nothing of chance
    adapted, start = (load_checkpoint(path) for path in (
        tmp_path / 'out.safetensors', folder / 'spoilt.safetensors'))
    after = adapted.network.state_dict()
    changed = {
        key.split('.')[0] for key, value in start.network.state_dict().items()
        if not torch.equal(value, after[key])
    }
    assert changed == {'correction', 'scheduler'}
    info = adapted.info
    assert json.loads(info['adapted_to']) == found['recordings']
    assert float(info['recommended_p']) == found['recommended']['p']
    assert json.loads(info['adapted_gain'])[0]['gain'] == found['rows'][0]['gain']
    assert info['started_from'].startswith('spoilt.safetensors (') and info['licence'] == 'none'
    assert not (tmp_path / 'out.safetensors.state').exists()


def test_where_boxes_are_carried_the_scheduler_alone_is_trained(adapt, folder, tmp_path):
    """That is what the node does by default; there is no use for better forecasts."""
    found = {}
    for policy in ('auto', 'scheduled_flow'):
        status, out, err = adapt(
            '--json', tmp_path / 'out.json', '--steps', 7, '--state', tmp_path / policy,
            policy=policy)
        assert status in (0, 4) and 'training of 7 steps: about' in err
        assert 'trained: scheduler 7 steps' in out
        found[policy] = json.loads((tmp_path / 'out.json').read_text())
        assert found[policy]['provenance']['policy'] == 'scheduled_flow'
        assert found[policy]['steps'] == {'scheduler': 7}
        trained = load_checkpoint(tmp_path / policy / 'tiny.safetensors').network.state_dict()
        start = load_checkpoint(folder / 'spoilt.safetensors').network.state_dict()
        changed = {key.split('.')[0] for key in start if not torch.equal(start[key], trained[key])}
        assert changed == {'scheduler'}
    (before, after), *_ = ((row['before'], row['after']) for row in found['auto']['rows'])
    assert before['policy'] == after['policy'] == 'scheduled_flow'
    assert [row['gain'] for row in found['auto']['rows']] == [
        row['gain'] for row in found['scheduled_flow']['rows']]


@pytest.mark.parametrize('wish', [('--want-loss', 0.9), ('--want-ms', 1000)])
def test_a_loss_or_a_time_is_wanted_where_boxes_are_carried(adapt, tmp_path, wish):
    status, out, _ = adapt('--steps', 3, *wish, policy='auto')
    assert status in (0, 4) and 'no READ share takes at most' not in out
    assert 'it helps: ' in out or 'it does not help: ' in out


def test_what_does_not_help_is_not_written(adapt, tmp_path):
    """No training changes nothing: every gain is 0."""
    (tmp_path / 'out.safetensors').write_text('of yesterday')
    status, out, err = adapt(
        '--json', tmp_path / 'out.json', '--minutes', 0.01, recipe=NOTHING)
    assert status == 4
    assert 'it does not help: at a READ share of 0.25 agreement is not better (+0.0000)' in out
    assert 'nothing is written' in err
    assert (tmp_path / 'out.safetensors').read_text() == 'of yesterday'
    found = json.loads((tmp_path / 'out.json').read_text())
    assert (found['helps'], found['recommended']) == (False, None)
    assert found['rows'] and all(row['gain'] == 0 for row in found['rows'])
    assert found['steps'] == {} and 'trained: nothing' in out


def test_a_stopped_run_goes_on(adapt, tmp_path, monkeypatch):
    def trained(state):
        return load_checkpoint(tmp_path / state / 'tiny.safetensors').network.state_dict()

    assert adapt('--state', tmp_path / 'whole', recipe=SHORT)[0] in (0, 4)
    steps, kept = [0], forecast.rollout_losses

    def interrupted(*arguments):
        steps[0] += 1
        # Four were timed.
        if steps[0] == 4 + 3:
            signal.raise_signal(signal.SIGTERM)
        return kept(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(forecast, 'rollout_losses', interrupted)
        patch.setattr(plan, 'rollout_losses', interrupted)
        status, _, err = adapt('--state', tmp_path / 'stopped', recipe=SHORT)
    assert status == 143 and 'the same command goes on from there' in err
    assert not (tmp_path / 'stopped' / 'tiny.safetensors').exists()
    assert adapt('--state', tmp_path / 'stopped', recipe=SHORT)[0] in (0, 4)
    whole, again = trained('whole'), trained('stopped')
    assert all(torch.equal(whole[key], again[key]) for key in whole)


def test_a_longer_run_goes_on_where_one_has_ended_that_did_not_help(
    adapt, tmp_path, monkeypatch
):
    state, gentle = tmp_path / 'out.safetensors.state', SHORT.replace('lr: 0.08', 'lr: 1.0e-7')
    status, _, err = adapt('--steps', 1, recipe=gentle)
    assert status == 4
    said, = [line for line in err.splitlines() if 'nothing is written' in line]
    assert str(state) in said and 'with more --steps (they were 1)' in said
    assert (state / 'forecast.pt').is_file() and not (tmp_path / 'out.safetensors').exists()
    before = load_checkpoint(state / 'tiny.safetensors').network.state_dict()

    taken, kept = [], forecast.rollout_losses
    monkeypatch.setattr(forecast, 'rollout_losses', lambda *rest: taken.append(1) or kept(*rest))
    status, _, err = adapt('--steps', 6, recipe=SHORT.replace('lr: 0.08', 'lr: 1.0e-7'))
    assert status == 4 and len(taken) == 5
    assert 'training of 6 and 3 steps, of the first of which 1 are taken' in err
    after = load_checkpoint(state / 'tiny.safetensors')
    assert json.loads(after.info['recipe'])['forecast']['steps'] == 6
    assert {key.split('.')[0] for key, value in after.network.state_dict().items()
            if not torch.equal(value, before[key])} == {'correction', 'scheduler'}
    # Less is no continuation; and what else differs is another run.
    status, _, err = adapt('--steps', 2, recipe=gentle)
    assert status == 1 and 'trained by 6 steps, and 2 are asked for; ask for more' in err
    assert 'the training so far is kept in' in err and str(state) in err
    status, _, err = adapt('--steps', 9, recipe=gentle.replace('thinning: 1', 'thinning: 0'))
    assert status == 1 and 'another recipe' in err


def test_a_run_that_failed_says_where_its_states_are(adapt, tmp_path, monkeypatch):
    def fail(*arguments):
        raise RuntimeError('out of memory')

    with monkeypatch.context() as patch:
        patch.setattr(run, 'compare', fail)
        status, _, err = adapt(recipe=SHORT)
    assert status == 1 and 'out of memory' in err
    said, = [line for line in err.splitlines() if 'the training so far is kept in' in line]
    assert f'{tmp_path / "out.safetensors.state"}: the same command goes on' in said


def test_states_beside_the_weights_stay_until_all_is_done(adapt, tmp_path, monkeypatch):
    def stop(*arguments):
        signal.raise_signal(signal.SIGINT)

    state = tmp_path / 'out.safetensors.state'
    with monkeypatch.context() as patch:
        patch.setattr(run, 'compare', stop)
        assert adapt(recipe=SHORT)[0] == 130
    assert (state / 'forecast.pt').is_file()
    (state / 'mine.txt').write_text('of another')
    forget(state, 'tiny')
    assert [path.name for path in state.iterdir()] == ['mine.txt']


def test_bags_are_learnt_from_and_short_recordings_are_named(adapt, folder, tmp_path):
    with BagWriter(tmp_path / 'bags' / 'drive') as bag:
        for k in range(50):
            bag.image('/front/image_raw', scene(k), k * STEP_NS)
            bag.image('/rear/image_raw', scene(k, seed=2), k * STEP_NS)
    with BagWriter(tmp_path / 'bags' / 'stop') as bag:
        bag.image('/front/image_raw', scene(0), 0)
    (tmp_path / 'bags' / 'broken.mcap').write_text('no bag')
    status, out, err = adapt(
        '--image-topic', '/front/image_raw', '--state', tmp_path / 'state', recipe=SHORT,
        source=('--bag', tmp_path / 'bags'))
    assert status in (3, 4) and 'before' in out
    assert (status == 3) == (tmp_path / 'out.safetensors').exists()
    assert 'stop: too short: 1 frames' in err and 'record longer' in err
    assert 'skipped: ' in err and 'broken.mcap' in err
    # A folder that was named is kept, with its log.
    assert (tmp_path / 'state' / 'log.jsonl').is_file()


@pytest.mark.parametrize(('source', 'message'), [
    ('short.mp4', 'too short: 12 frames, 10 before its last fifth and 2 in it; at least 32 and 8 '
                  'are needed, at its 20 frames a second 2.0 s without gaps'),
    ('missing.mp4', 'neither a video nor a folder with videos or pictures'),
    ('spoilt.safetensors', 'spoilt.safetensors'),
])
def test_recordings_that_cannot_be_used(adapt, folder, tmp_path, source, message):
    status, _, err = adapt(source=('--video', folder / source))
    assert status == 1
    assert message in err and err.count('skipped: ') == 1
    assert 'none of the recordings can be used' in err
    assert not (tmp_path / 'out.safetensors').exists()


def test_where_nothing_is_found_there_is_nothing_to_learn(adapt, tmp_path):
    save_start(tmp_path / 'blind.safetensors', network=YoloxNetwork(SMALL))
    status, _, err = adapt('--weights', tmp_path / 'blind.safetensors')
    assert status == 1 and 'nothing to learn from' in err
    assert not (tmp_path / 'out.safetensors.state').exists()


def test_where_nothing_is_kept_aside_to_judge_by_nothing_is_trained(
    adapt, tmp_path, monkeypatch
):
    def empty(store, *rest):
        return store.judged([
            JudgedClip(clip, [Truth() for _ in range(len(clip))]) for clip in store.clips])

    monkeypatch.setattr(run, 'judged_store', empty)
    monkeypatch.setattr(plan, 'fitted', None)
    status, _, err = adapt()
    assert status == 1 and 'reading finds no object in the parts kept aside' in err
    assert not (tmp_path / 'out.safetensors.state').exists()


def test_a_recipe_that_needs_a_truth_is_refused_with_those_that_do_not(adapt, tmp_path):
    status, _, err = adapt('--config', 'foda')
    assert status == 1
    assert 'learns from a truth' in err and 'teacher: itself, such as adapt or coco' in err


def test_the_papers_family_cannot_be_adapted(adapt, tmp_path):
    save_checkpoint(tmp_path / 'paper.safetensors', make_tiny_network())
    status, _, err = adapt('--weights', tmp_path / 'paper.safetensors')
    assert status == 1 and "weights of the paper's family" in err


@pytest.mark.parametrize(('options', 'message'), [
    (('--image-topic', '/a'), '--image-topic: is for --bag'),
    (('--out', '.'), "--out: '.' is no file name"),
    (('--json', 'same', '--out', 'same'), 'choose another name'),
])
def test_options_that_do_not_go_together(adapt, options, message):
    status, _, err = adapt(*options)
    assert status == 2 and message in err


def test_weights_are_not_written_over_themselves(adapt, folder):
    status, _, err = adapt('--out', folder / 'spoilt.safetensors')
    assert status == 2 and 'would be written over' in err


def test_reads_stay_as_they_are(adapt):
    status, _, err = adapt(recipe=RECIPE.replace('correction: 4', 'peek: 4, correction: 4'))
    assert status == 1 and 'leaves READs as they are' in err


def test_trained_weights_keep_their_shape(folder, tmp_path):
    start = load_checkpoint(folder / 'spoilt.safetensors')
    recipe = tmp_path / 'wide.yaml'
    recipe.write_text('teacher: itself\nmodel: {correction: 16, scheduler: 16}')
    assert with_start(trainer.configure(recipe, start), start).model == LEARNER
    bare = save_start(tmp_path / 'bare.safetensors')
    model = with_start(trainer.configure(recipe, bare), bare).model
    assert (model.correction, model.scheduler) == (16, 16)
    shipped = with_start(trainer.configure(find('recipes', 'adapt'), bare), bare)
    assert shipped.model.peek == SMALL.peek and shipped.frames_a_clip == 0


def test_a_scheduler_that_goes_on_is_patient_already(folder, tmp_path):
    """Its odds would be multiplied anew by each adaptation, be it of no steps."""
    recipe = tmp_path / 'plain.yaml'
    recipe.write_text('teacher: itself\nmodel: {correction: 4, scheduler: 8}')
    bare = save_start(tmp_path / 'bare.safetensors')
    begun = with_start(trainer.configure(recipe, bare), bare).scheduler
    assert begun.patience > 1
    start = load_checkpoint(folder / 'spoilt.safetensors')
    goes_on = with_start(trainer.configure(recipe, start), start).scheduler
    assert goes_on.patience == 1
    assert goes_on.errors == pytest.approx(begun.errors * begun.patience)


class Gap(Moving):
    """A clip that pauses for half of its time behind its first frames."""

    def stamp_ns(self, index):
        return (index + (50 if index >= 20 else 0)) * STEP_NS


class Back(Moving):
    """A recording whose stamps start again."""

    def stamp_ns(self, index):
        return index % 30 * STEP_NS


def test_the_last_fifth_is_one_of_time():
    assert first_aside(Moving('a', 50)) == 40
    # 10 s in all, 5 of them without a frame: from second 8 on are 20 of 50 frames.
    assert first_aside(Gap('a', 50)) == 30
    assert first_aside(Back('a', 50)) == 40
    assert first_aside(Moving('a', 1)) == 1


def test_parts_do_not_share_frames_and_a_recording_counts_once(tmp_path):
    clip, bad = Moving('a', 101), []
    paths = [(tmp_path / 'a', clip), (tmp_path / 'a', clip), (tmp_path / 'b', Moving('b', 30))]
    (one,) = cut(paths, 1, lambda path, error: bad.append(path))
    assert (one.learnt.stop, one.aside.start, one.aside.stop) == (81, 81, 101)
    assert bad == [tmp_path / 'b']
    (thinned,) = cut(paths[:1], 2, lambda path, error: bad.append(path))
    assert len(thinned.clip) == 51 and thinned.aside.start == 41


def test_stretches_cover_a_part_or_are_spread_over_it():
    clip = Moving('a', 1000)
    whole = stretches([(clip, range(100, 345))], 60, 10_000)
    assert [one.frames.start for one in whole][0] == 100
    assert whole[-1].frames.stop == 345
    assert all(a.frames.stop == b.frames.start for a, b in zip(whole, whole[1:]))
    assert all(60 <= len(one) <= 120 for one in whole)
    some = stretches([(clip, range(1000)), (Moving('b', 500), range(500))], 50, 300)
    assert len(some) == 6
    assert [one.name.split()[0] for one in some] == ['a'] * 4 + ['b'] * 2
    assert len({one.name for one in some}) == 6
    assert stretches([(clip, range(5, 17))], 60, 1)[0].frames == range(5, 17)


def test_a_digest_tells_contents_and_names(tmp_path):
    for name in ('one', 'two'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'a.png').write_bytes(b'x')
    same = digest(tmp_path / 'one')
    assert same == digest(tmp_path / 'two')
    (tmp_path / 'two' / 'a.png').rename(tmp_path / 'two' / 'b.png')
    assert digest(tmp_path / 'two') != same
    (tmp_path / 'one' / 'a.png').write_bytes(b'y')
    assert digest(tmp_path / 'one') != same


def test_pictures_of_a_folder_are_a_recording(adapt, tmp_path):
    (tmp_path / 'shots').mkdir()
    for k in range(40):
        cv2.imwrite(str(tmp_path / 'shots' / f'{k:03}.png'), scene(k))
    status, out, _ = adapt('--json', tmp_path / 'o.json', source=('--video', tmp_path / 'shots'),
                           recipe=NOTHING)
    assert status == 4
    (one,) = json.loads((tmp_path / 'o.json').read_text())['recordings']
    assert (one['name'], one['sha256']) == ('shots', digest(tmp_path / 'shots'))


def test_a_bad_picture_costs_itself_only(adapt, tmp_path):
    (tmp_path / 'shots').mkdir()
    for k in range(60):
        cv2.imwrite(str(tmp_path / 'shots' / f'{k:03}.png'), scene(k))
    for k in (7, 52):  # one that is learnt from, one that is kept aside
        (tmp_path / 'shots' / f'{k:03}.png').write_text('no picture')
    status, out, err = adapt('--json', tmp_path / 'o.json', source=('--video', tmp_path / 'shots'),
                             recipe=NOTHING)
    assert status == 4 and 'skipped: ' not in err
    found = json.loads((tmp_path / 'o.json').read_text())
    assert (found['passed_over'], found['skipped']) == (2, [])
    assert found['provenance']['aside_frames'] == 11
    for k in (7, 52):
        line, = [line for line in err.splitlines() if f'{k:03}.png' in line]
        assert f'frame {k} is passed over' in line
    assert '2 frames that cannot be used were passed over' in out


def test_a_recording_without_a_frame_is_skipped(adapt, folder, tmp_path):
    (tmp_path / 'shots').mkdir()
    for k in range(60):
        (tmp_path / 'shots' / f'{k:03}.png').write_text('no picture')
    status, _, err = adapt(source=('--video', folder / 'a.mp4', tmp_path / 'shots'),
                           recipe=NOTHING)
    assert status == 4 and 'skipped: ' in err and 'shots' in err
    assert 'more like these' in err


def point(p, share, value, ms=10.0, recall=None):
    return Point('scheduled_flow', p, None, share, Metrics(agreement50=value),
                 Found(recall50=recall), ms, None)


def found(*rows, full=1.0):
    return Comparison(point(1.0, 1.0, full, 20.0), [
        Compared(share, point(0.5, share, before), point(0.6, share, after, 20 * share),
                 after - before, interval) for share, before, after, interval in rows
    ], [])


def test_the_verdict_is_that_of_the_wanted_share():
    rows = found((0.5, 0.9, 0.95, Interval(0.05, 0.01, 0.09)), (0.25, 0.8, 0.79, None),
                 (0.125, 0.6, 0.7, Interval(0.1, -0.05, 0.2)))
    assert judge(rows, Wish(share=0.5)).helps
    assert judge(rows, Wish(share=0.25)) == (
        False, 'at a READ share of 0.25 agreement is not better (-0.0100)', rows.rows[1])
    missing = judge(rows, Wish(share=0.4))
    assert not missing.helps and 'no p gives a READ share of 0.4' in missing.text
    # The fewest READs within the loss, the best agreement within the time.
    assert judge(rows, Wish(loss=0.06)).row is rows.rows[0]
    assert judge(rows, Wish(loss=0.25)).row is rows.rows[1]
    assert judge(rows, Wish(ms=6.0)).row is rows.rows[1]
    assert 'no READ share below 1 loses at most 0.01' in judge(rows, Wish(loss=0.01)).text
    assert 'set p to 1' in judge(rows, Wish(ms=30.0)).text
    assert 'no READ share takes at most 1 ms' in judge(rows, Wish(ms=1.0)).text


@pytest.mark.parametrize(('gain', 'interval', 'reason'), [
    (0.1, Interval(0.1, 0.001, 0.2), ''),
    (0.1, Interval(0.1, -0.05, 0.2), 'its 95 % interval, -0.0500 to +0.2000, holds 0'),
    (0.1, Interval(0.1, 0.0, 0.2), 'holds 0'),
    (0.021, None, ''),
    (0.019, None, 'with fewer than 5 stretches to judge by, a gain counts from 0.02 on'),
])
def test_what_may_be_chance_is_no_help(gain, interval, reason):
    rows = found((0.25, 0.5, 0.5 + gain, interval))
    helps, text, row = judge(rows, Wish(share=0.25))
    assert helps == (not reason) and row is rows.rows[0]
    assert f'agreement is better by {gain:.4f}' in text
    assert ('may be chance' in text) == bool(reason) and text.endswith(reason)


def test_a_gain_that_costs_recall_says_so():
    before, after = point(0.5, 0.25, 0.8, recall=0.9), point(0.6, 0.25, 0.85, recall=0.875)
    row = Compared(0.25, before, after, 0.05, Interval(0.05, 0.01, 0.09))
    verdict = judge(Comparison(point(1.0, 1.0, 1.0), [row], []), Wish(share=0.25))
    assert verdict.helps and verdict.text.endswith('though a user sees less (recall -0.0250)')


def test_minutes_shorten_a_recipe_once(tmp_path, monkeypatch):
    config = tiny_recipe()
    monkeypatch.setattr(plan, 'estimated_minutes', lambda *arguments: 10.0)
    assert fitted(None, None, config, None, tmp_path) == Plan(config, 10.0)
    assert fitted(None, None, config, 20.0, tmp_path) == Plan(config, 10.0)
    half = fitted(None, None, config, 5.0, tmp_path)
    steps = half.config.forecast.steps, half.config.scheduler.steps
    assert steps == (2, 2) and half.config.scheduler.rollouts == 3
    assert half.minutes == 5.0
    # A machine that is slower when the run goes on takes as many steps.
    monkeypatch.setattr(plan, 'estimated_minutes', lambda *arguments: 100.0)
    assert fitted(None, None, config, 5.0, tmp_path) == half
    assert scaled(config, 1e-6).forecast.steps == 1
    assert scaled(replace(config, forecast=replace(config.forecast, steps=0)),
                  0.5).forecast.steps == 0


def test_minutes_on_a_gpu_are_those_of_work_that_is_done(folder, monkeypatch):
    start, config, told = load_checkpoint(folder / 'spoilt.safetensors'), tiny_recipe(), []

    def clock():
        told.append('clock')
        return 0.0

    monkeypatch.setattr(plan, 'time', SimpleNamespace(perf_counter=clock))
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda device: told.append(str(device)))
    monkeypatch.setattr(machinery, 'select_device', lambda name: (GPU, 'pretended'))
    with PretendGPU():
        network = start.network.to(GPU)
        readings = trainer.read_all(network, start, world().clips, config, GPU)
        estimated_minutes(network, readings, config)
    # Three measurements.
    assert told == ['cuda:0', 'clock'] * 6


def test_minutes_are_estimated_from_steps_that_change_nothing(tmp_path, folder):
    start = load_checkpoint(folder / 'spoilt.safetensors')
    config = tiny_recipe()
    readings = trainer.read_all(start.network, start, world().clips, config, CPU)
    before = {key: value.clone() for key, value in start.network.state_dict().items()}
    random = torch.get_rng_state()
    assert np.isfinite(estimated_minutes(start.network, readings, config))
    assert all(torch.equal(before[key], value)
               for key, value in start.network.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
