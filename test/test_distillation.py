"""Training without labels: a detector's readings teach its forecasts and its scheduler."""

from dataclasses import replace
import json

from conftest import make_tiny_network
from distillation_samples import (
    CPU,
    LEARNER,
    make_reader,
    save_start,
    SMALL,
    stopping_at,
    tiny_recipe,
    world,
)
import numpy as np
import pytest
import torch

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.model.yolox.network import YoloxNetwork
from forecast_detector.training import interrupt
from forecast_detector.training.distillation import forecast, judging
from forecast_detector.training.distillation.forecast import rollout_losses
from forecast_detector.training.distillation.judging import (
    be_patient,
    count_errors,
    Lessons,
    run_loss,
    shrink,
)
from forecast_detector.training.distillation.losses import (
    distillation_losses,
    map_loss,
    paired_iou,
)
from forecast_detector.training.distillation.recipe import (
    is_distillation,
    JudgeRecipe,
    load_distill_config,
)
from forecast_detector.training.distillation.trainer import (
    configure,
    distill,
    grown,
    load_start,
    read_all,
)
from forecast_detector.types import Detections


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    return save_start(tmp_path_factory.mktemp('start') / 'start.safetensors')


@pytest.fixture(scope='module')
def learner(start):
    return grown(start.network, LEARNER, 0)


@pytest.fixture(scope='module')
def readings(start, learner):
    return read_all(learner, start, world().clips, tiny_recipe(), CPU)


@pytest.fixture(scope='module')
def whole(start, tmp_path_factory):
    """Weights of a run that nothing stopped."""
    return weights(distill(tiny_recipe(), world(), start, tmp_path_factory.mktemp('whole'), CPU))


def boxes(*rows):
    """Detections of (x0, y0, x1, y1, score, label)."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def weights(path):
    return load_checkpoint(path).network.state_dict()


def same(a, b):
    return all(torch.equal(a[key], b[key]) for key in a)


def test_what_equals_the_reading_costs_nothing_more(learner, readings):
    """Entropies have a floor, at which the gradient is 0; distances are 0."""
    with torch.no_grad():
        maps = readings.features([3, 4])
        teacher = learner.detect(maps)
    raw = [type(one)(*(part.clone().requires_grad_() for part in one)) for one in teacher]
    losses = distillation_losses(learner.decoding((64, 64)), raw, teacher)
    assert losses['boxes'].item() == pytest.approx(0, abs=1e-6)
    assert losses['scores'].item() == pytest.approx(0, abs=1e-9)
    assert map_loss(maps.maps, maps.maps, teacher) == 0
    torch.stack([losses['objects'], losses['classes']]).sum().backward()
    for one in raw:
        assert one.objects.grad.abs().max() < 1e-6 and one.classes.grad.abs().max() < 1e-6


def test_what_differs_from_the_reading_costs_something(learner, readings):
    with torch.no_grad():
        near, far = readings.features([3]), readings.features([9])
        teacher, raw = learner.detect(near), learner.detect(far)
    losses = distillation_losses(learner.decoding((64, 64)), raw, teacher)
    assert all(value > 1e-4 for value in losses.values())
    assert map_loss(near.maps, far.maps, teacher) > 1e-4


def test_paired_iou():
    a = torch.tensor([[0., 0, 4, 4], [0, 0, 4, 4], [0, 0, 4, 4], [1, 1, 1, 1]])
    b = torch.tensor([[0., 0, 4, 4], [2, 0, 6, 4], [4, 4, 8, 8], [1, 1, 1, 1]])
    assert paired_iou(a, b).tolist() == pytest.approx([1, 8 / 24, 0, 0])


def test_errors_are_objects_missed_and_made_up():
    recipe = JudgeRecipe()
    reading = boxes((0, 0, 10, 10, 0.9, 0), (20, 0, 30, 10, 0.45, 1), (40, 0, 50, 10, 0.35, 0))
    assert count_errors(reading, reading, recipe) == 0
    assert count_errors(boxes(), reading, recipe) == 2  # the third is too weak to be asked for
    # Scores that waver do no harm: 0.35 is found, and 0.35 confirms 0.55.
    wavering = boxes((0, 0, 10, 10, 0.35, 0), (20, 0, 30, 10, 0.9, 1), (40, 0, 50, 10, 0.55, 0))
    assert count_errors(wavering, reading, recipe) == 0
    faded = boxes((0, 0, 10, 10, 0.25, 0), (20, 0, 30, 10, 0.9, 1))
    assert count_errors(faded, reading, recipe) == 1
    # Of another class: one missed, one made up. Beside it (IoU 1/3): likewise.
    assert count_errors(boxes((0, 0, 10, 10, 0.9, 1), (20, 0, 30, 10, 0.9, 1)),
                        reading, recipe) == 2
    assert count_errors(boxes((5, 0, 15, 10, 0.9, 0), (20, 0, 30, 10, 0.9, 1)),
                        reading, recipe) == 2


class Rate(torch.nn.Module):
    """A scheduler that says the same of every frame."""

    def __init__(self):
        super().__init__()
        self.logit = torch.nn.Parameter(torch.zeros(()))

    def forward(self, objects, staleness, surprise):
        return torch.stack([self.logit.expand(len(objects)), torch.zeros(len(objects))], dim=1)


def test_the_scheduler_learns_the_rate_of_errors():
    """Where a forecast has half an error on average, -log of its confidence is 1/8."""
    rng = torch.Generator().manual_seed(0)
    expected = torch.full((400, 6), 0.5)
    errors = torch.poisson(expected, generator=rng)
    nothing = torch.zeros(400, 6, 1, 1, 1)
    lessons = Lessons(nothing, nothing, nothing, errors)
    scheduler, recipe = Rate(), JudgeRecipe(errors=4.0)
    optimizer = torch.optim.Adam(scheduler.parameters(), 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        run_loss(scheduler, lessons, recipe).backward()
        optimizer.step()
    confidence = torch.sigmoid(-scheduler.logit).item()
    assert -np.log(confidence) == pytest.approx(0.125, rel=0.05)


def test_judgements_are_drawn_towards_their_mean():
    torch.manual_seed(0)
    scheduler = YoloxNetwork(LEARNER).scheduler
    seen = [(torch.rand(5, 4, 3, h, 2), torch.rand(5, 4, 2, h, 2), torch.rand(5, 4, 3, h, 2))
            for h in (2, 3)]
    lessons = [Lessons(*parts, torch.zeros(5, 4)) for parts in seen]

    def judge():
        with torch.no_grad():
            return torch.cat([
                scheduler(*(part.flatten(0, 1) for part in parts)).diff(dim=1)[:, 0]
                for parts in seen])

    before = judge()
    assert before.std() > 1e-3
    shrink(scheduler, lessons, 0.4)
    torch.testing.assert_close(judge(), before.mean() + 0.6 * (before - before.mean()))
    shrink(scheduler, lessons, 1.0)
    torch.testing.assert_close(judge(), before.mean().expand(40))


def test_patience_divides_few_expected_errors_and_leaves_cuts():
    torch.manual_seed(0)
    scheduler = YoloxNetwork(LEARNER).scheduler
    seen = (torch.rand(1, 3, 2, 2), torch.rand(1, 2, 2, 2), torch.rand(1, 3, 2, 2))

    def errors(bias):
        with torch.no_grad():
            scheduler.fc.bias.copy_(torch.tensor([0.0, bias]))
            before = -torch.log_softmax(scheduler(*seen), dim=1)[0, 1]
            be_patient(scheduler, 3.0)
            return before, -torch.log_softmax(scheduler(*seen), dim=1)[0, 1]

    few, fewer = errors(6.0)
    assert few < 0.02 and fewer == pytest.approx(few / 3, rel=0.02)
    cut, still = errors(-20.0)
    assert cut > 15 and still == pytest.approx(cut - np.log(3), rel=1e-3)


@pytest.mark.parametrize('thinning', [0, 2])
def test_runs_stay_in_their_clip_and_keep_their_stride(readings, thinning):
    rng = np.random.default_rng(0)
    runs = readings.draw(rng, 200, 4, thinning)
    assert runs.shape == (5, 200)
    strides = np.diff(runs, axis=0)
    assert (strides == strides[0]).all()
    assert set(strides[0]) == set(range(1, thinning + 2))
    first = (runs < 14).sum(axis=0)
    assert set(first) == {0, 5}  # whole runs of either clip
    assert runs.min() >= 0 and runs.max() < 24


def test_a_run_longer_than_its_clip_repeats_the_last_frame(readings):
    runs = readings.draw(np.random.default_rng(0), 50, 20, 3)
    assert (np.diff(runs, axis=0) >= 0).all()
    assert set(runs[-1]) == {13, 23}


def test_cut_runs_go_on_elsewhere(readings):
    whole = readings.draw(np.random.default_rng(0), 100, 6, 0, cut=0.0)
    cut = readings.draw(np.random.default_rng(0), 100, 6, 0, cut=1.0)
    assert (np.diff(whole, axis=0) == 1).all()
    jumps = (np.diff(cut, axis=0) != 1).sum(axis=0)
    assert jumps.max() == 1 and (jumps == 1).mean() > 0.8
    assert np.array_equal(whole[0], cut[0])


def test_gradients_reach_the_correction_alone(learner, readings):
    network = grown(learner, LEARNER, 0)
    recipe = tiny_recipe().forecast
    runs = readings.draw(np.random.default_rng(0), 2, 3, 0)
    losses = rollout_losses(network, network.decoding((64, 64)), readings, runs, recipe)
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0
               for p in network.correction.project.parameters())
    # Readings come without a graph, so nothing behind them can have one.
    assert all(p.grad is None for p in (*network.backbone.parameters(),
                                        *network.scheduler.parameters()))


def test_a_still_picture_needs_no_correction(learner, readings):
    """Untrained, what is moved by no motion is what it was."""
    network = grown(learner, LEARNER, 0)
    runs = np.full((3, 1), 5)
    decoding = network.decoding((64, 64))
    losses = rollout_losses(network, decoding, readings, runs, tiny_recipe().forecast)
    assert losses['feature'].item() == pytest.approx(0, abs=1e-4)
    # Boxes without an area, which random weights have some of, have no overlap with themselves.
    read = network.detect(readings.features([5]))
    same = distillation_losses(decoding, read, read)
    assert losses['boxes'].item() == pytest.approx(same['boxes'].item(), abs=1e-3)


def test_untouched_parts_stay_bit_by_bit(start, whole):
    before = grown(start.network, LEARNER, 0).state_dict()
    changed = {key.split('.')[0] for key in whole if not torch.equal(whole[key], before[key])}
    assert changed == {'correction', 'scheduler'}


@pytest.mark.parametrize(('phases', 'part'), [
    (('forecast',), 'correction'), (('scheduler',), 'scheduler'),
])
def test_each_phase_trains_its_own_part(start, tmp_path, phases, part):
    trained = weights(distill(tiny_recipe(phases=phases), world(), start, tmp_path, CPU))
    before = grown(start.network, LEARNER, 0).state_dict()
    assert {key.split('.')[0] for key in trained
            if not torch.equal(trained[key], before[key])} == {part}


@pytest.mark.parametrize(('phase', 'when'), [
    ('forecast', 1), ('forecast', 4), ('scheduler', 0), ('scheduler', 2), ('lessons', 0),
])
def test_a_stopped_run_ends_as_one_that_was_not(
    start, whole, tmp_path, monkeypatch, phase, when
):
    interrupted = stopping_at(when)
    with monkeypatch.context() as patch, interrupt.graceful():
        if phase == 'lessons':
            patch.setattr(judging, 'follow_runs', interrupted(judging.follow_runs))
        elif phase == 'scheduler':
            patch.setattr(judging, 'run_loss', interrupted(judging.run_loss))
        else:
            patch.setattr(forecast, 'rollout_losses', interrupted(rollout_losses))
            if when == 4:
                patch.setattr(judging, 'make_lessons', interrupted(judging.make_lessons))
        with pytest.raises(interrupt.InterruptedTraining, match='the same command goes on'):
            distill(tiny_recipe(), world(), start, tmp_path / 'stopped', CPU)
    assert not (tmp_path / 'stopped' / 'tiny.safetensors').exists()
    resumed = weights(distill(tiny_recipe(), world(), start, tmp_path / 'stopped', CPU))
    assert same(whole, resumed)


def test_the_forecast_gets_nearer_to_the_reading(tmp_path):
    """What was spoilt is mended, on the clips that it learns from, after some steps."""
    spoilt = make_reader(LEARNER)
    for layer in spoilt.correction.project:
        torch.nn.init.constant_(layer.bias, 1.0)
    start = save_start(tmp_path / 'spoilt.safetensors', network=spoilt)
    recipe = tiny_recipe(phases=('forecast',))
    recipe = replace(recipe, forecast=replace(
        recipe.forecast, steps=60, batch_size=4, ema=0.5, thinning=0))
    path = distill(recipe, world(), start, tmp_path / 'run', CPU)
    readings = read_all(start.network, start, world().clips, recipe, CPU)
    runs = readings.draw(np.random.default_rng(9), 12, 3, 0)

    def total(network):
        losses = rollout_losses(network.eval(), network.decoding((64, 64)), readings, runs,
                                recipe.forecast)
        # What classes are made of is moved as it is.
        return sum(getattr(recipe.forecast, name) * losses[name].item()
                   for name in ('objects', 'boxes', 'scores'))

    assert total(load_checkpoint(path).network) < 0.95 * total(start.network)


def test_a_network_grown_takes_over_what_fits():
    trained = make_reader(LEARNER)
    with torch.no_grad():
        for parameter in trained.correction.parameters():
            parameter.fill_(0.5)
    wider = grown(trained, replace(LEARNER, scheduler=8), 0).state_dict()
    old = trained.state_dict()
    kept = {key for key in wider if key in old and torch.equal(wider[key], old[key])}
    assert {key for key in old if not key.startswith('scheduler')} <= kept
    assert not any(key.startswith('scheduler.conv') for key in kept)
    again = grown(trained, replace(LEARNER, scheduler=8), 0).state_dict()
    assert same(wider, again)
    assert not same(wider, grown(trained, replace(LEARNER, scheduler=8), 1).state_dict())


def test_provenance_says_where_weights_come_from(start, tmp_path):
    recipe = tiny_recipe(info={'data': 'noise'})
    info = load_checkpoint(distill(recipe, world(), start, tmp_path, CPU)).info
    assert (info['licence'], info['data']) == ('none', 'noise')
    assert info['started_from'].startswith('start.safetensors (')
    assert json.loads(info['recipe'])['forecast']['steps'] == 4


def test_a_folder_of_another_run_is_left_alone(start, tmp_path):
    distill(tiny_recipe(), world(), start, tmp_path, CPU)
    with pytest.raises(ValueError, match='states of a run with another data set'):
        distill(tiny_recipe(), world((14,)), start, tmp_path, CPU)
    other = save_start(tmp_path / 'other.safetensors', network=make_reader(
        replace(SMALL, width=0.25)))
    with pytest.raises(ValueError, match='states of a run with another start'):
        distill(replace(tiny_recipe(), model=replace(LEARNER, width=0.25)), world(), other,
                tmp_path, CPU)


def test_starts_that_cannot_be(start, tmp_path):
    save_checkpoint(tmp_path / 'paper.safetensors', make_tiny_network())
    with pytest.raises(ValueError, match="paper's family.*import"):
        load_start(str(tmp_path / 'paper.safetensors'))
    with pytest.raises(ValueError, match='none of 2 clips has two frames'):
        distill(tiny_recipe(), world((1, 1)), start, tmp_path / 'still', CPU)
    for part, phase in (('correction', 'forecast'), ('scheduler', 'scheduler')):
        bare = replace(tiny_recipe(phases=(phase,)), model=replace(LEARNER, **{part: 0}))
        with pytest.raises(ValueError, match=f'model.{part}: phase {phase} trains it'):
            distill(bare, world(), start, tmp_path / part, CPU)


@pytest.mark.parametrize(('text', 'message'), [
    ('teacher: other', "teacher: 'other' is none of"),
    ('teacher: itself\nmodel: {width: 1.0}', r"model: unknown settings \['width'\]"),
    ('teacher: itself\nphases: [detector]', 'phases: .* expected some of'),
    ('teacher: itself\nforecast: {steps: -1}', 'steps'),
    ('teacher: itself\nscheduler: {cut: 2}', 'cut'),
    ('teacher: itself\nforecast: {stepz: 1}', r"forecast: unknown settings \['stepz'\]"),
    ('teacher: itself\nmodel: 3', 'no set of settings'),
])
def test_bad_recipes_are_named(tmp_path, text, message):
    path = tmp_path / 'bad.yaml'
    path.write_text(text)
    assert is_distillation(path)
    with pytest.raises(ValueError, match=f'bad.yaml: .*{message}'):
        load_distill_config(path, SMALL)


def test_the_shape_is_that_of_the_start_and_what_is_added(start, tmp_path):
    path = tmp_path / 'mine.yaml'
    path.write_text('teacher: itself\nmodel: {correction: 8, scheduler: 4}\nseed: 3')
    config = configure(path, start)
    assert config.model == replace(SMALL, correction=8, scheduler=4)
    assert (config.seed, configure(path, start, 5).seed, config.name) == (3, 5, 'mine')
    path.write_text('seed: 3')
    assert not is_distillation(path) and not is_distillation(tmp_path / 'missing.yaml')


def test_the_scheduler_ranks_hard_runs_above_easy_ones():
    """What the surprise tells of errors is learnt."""
    torch.manual_seed(0)
    network = YoloxNetwork(LEARNER)
    surprise = torch.zeros(64, 3, 3, 2, 2)
    surprise[32:, 1:] = 1.0
    errors = torch.zeros(64, 3)
    errors[32:, 1:] = 8.0
    lessons = Lessons(torch.zeros(64, 3, 3, 2, 2), torch.zeros(64, 3, 2, 2, 2), surprise, errors)
    optimizer = torch.optim.Adam(network.scheduler.parameters(), 0.02)
    for _ in range(80):
        optimizer.zero_grad()
        run_loss(network.scheduler, lessons, JudgeRecipe()).backward()
        optimizer.step()
    objects, stale = torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, 2)
    calm, wild = (
        network.scheduler(objects, stale, torch.full((1, 3, 2, 2), value)).softmax(1)[0, 1].item()
        for value in (0.0, 1.0)
    )
    assert calm > 0.8 > wild
