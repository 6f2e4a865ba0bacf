"""Training without labels, end to end: the reader learns to be forecast, and reads as before."""

from copy import deepcopy
from dataclasses import asdict, replace
import errno
import tempfile

from distillation_samples import (
    CPU,
    LEARNER,
    make_reader,
    Moving,
    save_start,
    SMALL,
    stopping_at,
    tiny_recipe,
    world,
)
import numpy as np
from pretend_gpu import GPU, PretendGPU
import pytest
import torch

from forecast_detector.adaptation.run import with_start
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.data.base import ClipDataset
from forecast_detector.engine import machinery
from forecast_detector.evaluation import store
from forecast_detector.training import interrupt
from forecast_detector.training.distillation import end_to_end, inputs, judging, trainer
from forecast_detector.training.distillation.end_to_end import (
    end_to_end_losses,
    train_end_to_end,
    trained_parts,
    weighted,
)
from forecast_detector.training.distillation.forecast import follow
from forecast_detector.training.distillation.inputs import Inputs
from forecast_detector.training.distillation.recipe import EndToEndRecipe, load_distill_config
from forecast_detector.training.distillation.trainer import distill, grown, read_all
from forecast_detector.training.phase import fingerprint
from forecast_detector.training.run_facts import hash_facts

SHORT = (6, 5)
RECIPE = EndToEndRecipe(steps=4, batch_size=2, frames=3, lr=1e-3, reader_lr=1e-4)


def recipe(**changes):
    """Make a recipe of this phase alone, but for what is changed."""
    return tiny_recipe(**{'end_to_end': RECIPE, 'phases': ('end_to_end',), **changes})


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    return save_start(tmp_path_factory.mktemp('start') / 'start.safetensors')


@pytest.fixture(scope='module')
def learner(start):
    return grown(start.network, LEARNER, 0).eval()


@pytest.fixture(scope='module')
def readings(start, learner):
    return read_all(learner, start, world().clips, tiny_recipe(), CPU)


@pytest.fixture(scope='module')
def images(readings):
    return Inputs(readings.store)


@pytest.fixture(scope='module')
def whole(start, tmp_path_factory):
    """Weights of a run that nothing stopped."""
    return weights(distill(
        recipe(phases=('forecast', 'end_to_end', 'scheduler')), world(SHORT), start,
        tmp_path_factory.mktemp('whole'), CPU))


def weights(path):
    return load_checkpoint(path).network.state_dict()


def same(a, b):
    return all(torch.equal(a[key], b[key]) for key in a)


def changed(before, after):
    """Name the weights that differ; counters of norms are no weights."""
    return {
        key for key in before
        if not key.endswith('num_batches_tracked') and not torch.equal(before[key], after[key])
    }


def compare(network, readings, images, frames):
    """Read inputs again; what was read first is kept in half precision, its norms folded."""
    with torch.no_grad():
        read = network.read(images.images(frames))
    others = readings.features([frame - 1 for frame in frames])
    for one, kept, other in zip(read.maps, readings.features(frames).maps, others.maps):
        # How far sums are apart depends on the processor's instructions.
        torch.testing.assert_close(one, kept, rtol=1e-2, atol=1e-2)
        assert (one - other).abs().max() > 0.1


def test_inputs_are_what_was_read(learner, readings, images):
    for frames in ([2, 17, 23], [3]):
        compare(learner, readings, images, frames)


class Wide(Moving):
    """A clip of another shape."""

    def read(self, index):
        return np.ascontiguousarray(super().read(index)[:30])


def test_inputs_of_clips_of_several_shapes(start, learner):
    """Each is as large as its own image, so no batch may have both."""
    config = replace(LEARNER, resize='trim')
    network = grown(learner, config, 0).eval()
    clips = [Wide('wide', 6), *world((5,)).clips]
    readings = read_all(network, start, clips, tiny_recipe(model=config), CPU)
    images = Inputs(readings.store)
    assert images.images([0, 5]).shape == (2, 3, 32, 64)
    assert images.images([6]).shape == (1, 3, 64, 64)
    for frames in ([1, 5], [7, 10]):
        compare(network, readings, images, frames)


def test_a_full_disk_is_named(readings, tmp_path, monkeypatch):
    def full(file, start, length):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setattr(store.os, 'posix_fallocate', full)
    with pytest.raises(OSError, match=f'{tmp_path}: no room for .* MB .*No space left.*TMPDIR'):
        Inputs(readings.store)


def losses_of(network, readings, images, runs):
    decoding = network.decoding((64, 64))
    return end_to_end_losses(network.eval(), decoding, readings, images, runs)


def test_what_reads_as_before_loses_nothing_by_its_reads(learner, readings, images):
    with torch.no_grad():
        losses = losses_of(learner, readings, images, np.full((2, 1), 5))
        assert losses['read_feature'] < 1e-2 and losses['read_scores'] < 1e-4
        other = grown(learner, LEARNER, 0)
        for parameter in other.head.obj_preds.parameters():
            parameter.mul_(0.5)
        worse = losses_of(other, readings, images, np.full((2, 1), 5))
    # The teacher is what the reader was, not what it is.
    assert worse['read_objects'] > losses['read_objects'] + 1e-3
    assert worse['objects'] > losses['objects'] + 1e-3


def test_gradients_reach_reader_and_correction(learner, readings, images):
    network = grown(learner, LEARNER, 0)
    runs = readings.draw(np.random.default_rng(0), 2, 3, 0)
    weighted(losses_of(network, readings, images, runs), RECIPE).backward()
    for part in (network.backbone, network.head, network.correction.project):
        assert all(p.grad is not None for p in part.parameters())
        assert sum(p.grad.abs().sum() for p in part.parameters()) > 0
    assert all(p.grad is None for p in network.scheduler.parameters())


@pytest.mark.parametrize('handed_on', [torch.Tensor.detach, torch.Tensor.clone])
def test_the_last_forecast_teaches_the_read_unless_cut_off(
    learner, readings, images, handed_on
):
    runs = readings.draw(np.random.default_rng(0), 1, 3, 0)
    read = learner.read(images.images(runs[0]))
    for one in read.maps:
        one.retain_grad()

    def passed(features):
        return features._replace(maps=tuple(handed_on(one) for one in features.maps))

    *_, last = follow(learner, readings, read, runs, passed)
    last.maps[0].sum().backward()
    reached = read.maps[0].grad is not None and read.maps[0].grad.abs().sum() > 0
    assert reached == (handed_on is torch.Tensor.clone)


def test_weights_add_up():
    losses = {'boxes': torch.tensor(1.0), 'read_boxes': torch.tensor(10.0),
              'scores': torch.tensor(100.0)}
    some = replace(RECIPE, boxes=0.5, scores=2.0, read=3.0)
    assert weighted(losses, some).item() == pytest.approx(0.5 + 3 * 0.5 * 10 + 200)


def test_the_stem_takes_smaller_steps(learner):
    parts = trained_parts(learner, replace(RECIPE, frozen_stages=0))
    rates = {id(module): lr for modules, lr in parts for module in modules}
    stem = learner.backbone.backbone.stem
    assert rates[id(stem)] == RECIPE.reader_lr / 255
    assert rates[id(learner.head)] == RECIPE.reader_lr
    assert rates[id(learner.correction)] == RECIPE.lr


@pytest.fixture(scope='module')
def steady(start):
    """Give a network, and what it reads, that small changes of weights change but a little."""
    network = grown(make_reader(steady=True), LEARNER, 0).eval()
    readings = read_all(network, start, world().clips, tiny_recipe(), CPU)
    return network, readings, Inputs(readings.store)


def judge(network, readings, images):
    """Give losses on runs that were drawn by themselves."""
    runs = readings.draw(np.random.default_rng(9), 12, 3, 0)
    with torch.no_grad():
        found = losses_of(network, readings, images, runs)
    return {name: loss.item() for name, loss in found.items()}


def trained(network, readings, tmp_path, logged=None, **changes):
    """Train a copy of a network for some steps."""
    network, log = deepcopy(network), [] if logged is None else logged
    settings = {'steps': 30, 'thinning': 0, 'frames': 2, 'ema': 0.5, **changes}
    config = recipe(end_to_end=replace(RECIPE, **settings))
    train_end_to_end(network, readings, config, tmp_path / 'state.pt', log.append)
    return network.eval()


def test_forecasts_agree_better_and_reads_stay(steady, tmp_path):
    """What was spoilt is mended, and READs hardly change for it."""
    network, readings, images = steady
    spoilt = deepcopy(network)
    for layer in spoilt.correction.project:
        torch.nn.init.constant_(layer.bias, 1.0)
    before = judge(spoilt, readings, images)
    after = judge(trained(spoilt, readings, tmp_path, steps=40, lr=3e-2), readings, images)
    for name in ('feature', 'objects', 'boxes', 'scores'):
        assert after[name] < 0.5 * before[name], name
        assert after[f'read_{name}'] < 0.05 * before[name], name


def test_the_reader_learns_and_the_weight_of_reads_holds_it(steady, tmp_path):
    """The correction stays as it is here, so that what is better is the reader's doing."""
    network, readings, images = steady
    before = judge(network, readings, images)
    found = {}
    for read in (0.0, 20.0):
        (folder := tmp_path / str(read)).mkdir()
        after = trained(network, readings, folder, lr=0.0, reader_lr=3e-4, read=read)
        assert same(network.correction.state_dict(), after.correction.state_dict())
        found[read] = judge(after, readings, images)
    assert found[0.0]['scores'] < 0.85 * before['scores']
    assert found[0.0]['boxes'] < 0.95 * before['boxes']
    for name in ('read_feature', 'read_objects', 'read_boxes', 'read_scores'):
        assert found[20.0][name] < 0.6 * found[0.0][name], name


@pytest.mark.parametrize('frozen', [0, 2, 5])
def test_frozen_stages_stay(learner, readings, tmp_path, frozen):
    after = trained(learner, readings, tmp_path, steps=2, frozen_stages=frozen)
    differ = changed(learner.state_dict(), after.state_dict())
    assert {key.split('.')[0] for key in differ} == {'backbone', 'head', 'correction'}
    assert not any('running' in key for key in differ)  # norms keep their statistics
    stages = ['stem', 'dark2', 'dark3', 'dark4', 'dark5']
    learnt = {key.split('.')[2] for key in differ if key.startswith('backbone.backbone.')}
    assert learnt == set(stages[frozen:])


def test_it_needs_no_correction(learner, readings, tmp_path):
    network = grown(learner, replace(LEARNER, correction=0), 0)
    differ = changed(network.state_dict(),
                     trained(network, readings, tmp_path, steps=2).state_dict())
    assert {key.split('.')[0] for key in differ} == {'backbone', 'head'}


def test_the_scheduler_learns_from_what_the_reader_gives_now(start, tmp_path, monkeypatch):
    given = {}

    def keep(network, readings, config, state, log):
        given['readings'] = readings

    monkeypatch.setitem(trainer.PHASES, 'scheduler', keep)
    config = recipe(phases=('end_to_end', 'scheduler'))
    clips = ClipDataset((), [Moving('still', 1), *world(SHORT).clips])
    network = load_checkpoint(distill(config, clips, start, tmp_path, CPU)).network
    new = read_all(network, start, clips.clips, config, CPU)
    old = read_all(grown(start.network, LEARNER, 0), start, clips.clips, config, CPU)
    frames = [0, 5, 10]
    assert same(*(dict(enumerate(one.features(frames).maps)) for one in (new, given['readings'])))
    assert not same(*(dict(enumerate(one.features(frames).maps)) for one in (new, old)))
    for one, other in zip(new.detections, given['readings'].detections, strict=True):
        assert np.array_equal(one.boxes, other.boxes)


@pytest.mark.parametrize(('where', 'when'), [
    ('end_to_end', 1), ('inputs', 5), ('read again', 1), ('scheduler', 2),
])
def test_a_stopped_run_ends_as_one_that_was_not(
    start, whole, tmp_path, monkeypatch, where, when
):
    interrupted = stopping_at(when)
    module, name = {
        'end_to_end': (end_to_end, 'end_to_end_losses'), 'inputs': (inputs, 'load_image'),
        'read again': (trainer, 'read_all'), 'scheduler': (judging, 'run_loss'),
    }[where]
    config = recipe(phases=('forecast', 'end_to_end', 'scheduler'))
    with monkeypatch.context() as patch, interrupt.graceful():
        patch.setattr(module, name, interrupted(getattr(module, name)))
        with pytest.raises(interrupt.InterruptedTraining):
            distill(config, world(SHORT), start, tmp_path, CPU)
    assert not (tmp_path / 'tiny.safetensors').exists()
    assert same(whole, weights(distill(config, world(SHORT), start, tmp_path, CPU)))


def test_without_steps_all_is_as_before_there_was_this_phase(start, tmp_path):
    """Runs that began before go on: their states are of the same recipe."""
    config = tiny_recipe()
    assert config.end_to_end.steps == 0 and 'end_to_end' in config.phases
    old = tiny_recipe(phases=('forecast', 'scheduler'))
    known = {key: value for key, value in asdict(old).items() if key not in ('info', 'end_to_end')}
    assert fingerprint(config) == fingerprint(old) == hash_facts(known)
    assert fingerprint(recipe()) not in (fingerprint(config), fingerprint(tiny_recipe(
        end_to_end=replace(RECIPE, reader_lr=1.0), phases=('end_to_end',))))
    first = distill(old, world(SHORT), start, tmp_path / 'old', CPU)
    (tmp_path / 'old' / 'scheduler.pt').unlink()
    before = weights(first)
    assert same(before, weights(distill(config, world(SHORT), start, tmp_path / 'old', CPU)))
    assert not (tmp_path / 'old' / 'end_to_end.pt').exists()
    off = recipe(end_to_end=EndToEndRecipe())
    alone = distill(off, world(SHORT), start, tmp_path / 'none', CPU)
    assert same(grown(start.network, LEARNER, 0).state_dict(), weights(alone))


def test_all_parts_have_learnt_in_the_end(start, whole):
    before = grown(start.network, LEARNER, 0).state_dict()
    assert {key.split('.')[0] for key in changed(before, whole)} == {
        'backbone', 'head', 'correction', 'scheduler'}


def test_it_trains_on_a_gpu_as_on_the_cpu(start, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(machinery, 'select_device', lambda name: (GPU, 'pretended'))
    config = recipe(phases=('forecast', 'end_to_end', 'scheduler'))
    with PretendGPU():
        path = distill(config, world(SHORT), start, tmp_path, GPU)
    assert same(whole, weights(path))


def test_every_loss_is_logged(learner, readings, tmp_path):
    trained(learner, readings, tmp_path, logged := [], steps=1)
    names = {'feature', 'objects', 'classes', 'boxes', 'scores'}
    assert logged[0]['phase'] == 'end_to_end'
    assert names | {f'read_{name}' for name in names} <= set(logged[0])
    assert set(logged[0]['lr']) == {'backbone', 'head', 'correction'}


@pytest.mark.parametrize(('settings', 'message'), [
    ('steps: -1', 'steps: -1 is below 0'),
    ('frozen_stages: 6', 'frozen_stages: 6 is above 5'),
    ('frozen_stages: -1', 'frozen_stages: -1 is below 0'),
    ('reader_lr: -0.1', 'reader_lr: -0.1 is below 0'),
    ('read: -1.0', 'read: -1.0 is below 0'),
    ('batch_size: 0', 'batch_size: 0 is below 1'),
    ('ema: 1.5', 'ema: 1.5 is outside'),
    ('steps: many', 'steps'),
    ('readerlr: 0.1', r"unknown settings \['readerlr'\]"),
])
def test_bad_settings_are_named(tmp_path, settings, message):
    path = tmp_path / 'bad.yaml'
    path.write_text(f'teacher: itself\nend_to_end: {{{settings}}}')
    with pytest.raises(ValueError, match=f'bad.yaml: end_to_end: .*{message}'):
        load_distill_config(path, SMALL)


def test_adapting_leaves_the_reader_as_it_is(tmp_path):
    start = save_start(tmp_path / 'start.safetensors', network=make_reader(LEARNER))
    with pytest.raises(ValueError, match='end_to_end trains the reader.*must be 0'):
        with_start(recipe(), start)
    off = recipe(end_to_end=EndToEndRecipe())
    assert with_start(off, start).end_to_end == off.end_to_end
