"""The paper's recipe: epochs, learning rates, thinning, augmentation, losses (section 4.2)."""

from dataclasses import replace
from itertools import repeat

from conftest import make_tiny_network, TINY
import numpy as np
import pytest
import torch

from forecast_detector.boxes import iou
from forecast_detector.data.base import Clip, ClipDataset, Truth
from forecast_detector.data.synthetic import load_synthetic
from forecast_detector.shipped import find
from forecast_detector.training import phase as progress
from forecast_detector.training import ssd_crop
from forecast_detector.training.clip_batches import ClipSampler
from forecast_detector.training.config import load_train_config, TrainConfig
from forecast_detector.training.end_to_end import (
    prepare,
    read_clips,
    train_baseline,
    train_joint,
    train_sequences,
)
from forecast_detector.training.feature_bank import SequenceBatch
from forecast_detector.training.optim import epoch_decays, sgd
from forecast_detector.training.phase import PhaseSetup
from forecast_detector.training.sequence_recipe import SequenceRecipe
from forecast_detector.training.ssd_crop import draw_ssd_transform, draw_ssd_window, fit_aspect
from forecast_detector.training.temporal import sequence_losses, unroll

CPU = torch.device('cpu')
STEPS_PER_EPOCH = 3


@pytest.fixture(scope='module')
def world():
    return load_synthetic('train', clips=2, length=12, size=(96, 64))


@pytest.fixture(scope='module')
def paper():
    return load_train_config(find('recipes', 'paper_vid'), ('a', 'b'))


def ignore(values):
    pass


def rates(recipe, parts):
    """Learning rates of (encoders, detector, scheduler), epoch by epoch."""
    optimizer = sgd(
        [([torch.nn.Linear(2, 2)], recipe.lr), ([torch.nn.Linear(2, 2)], recipe.detector_lr),
         ([torch.nn.Linear(2, 2)], recipe.scheduler_lr)],
        recipe.momentum, recipe.weight_decay,
    )
    schedule = epoch_decays(optimizer, parts, recipe.decay, STEPS_PER_EPOCH)
    seen = {}
    for step in range(recipe.epochs * STEPS_PER_EPOCH):
        now = [group['lr'] for group in optimizer.param_groups[::2]]
        seen.setdefault(step // STEPS_PER_EPOCH + 1, now)
        assert seen[step // STEPS_PER_EPOCH + 1] == now
        optimizer.step()
        schedule.step()
    return seen


@pytest.mark.parametrize(
    ('epoch', 'encoders', 'detector', 'scheduler'),
    [
        (1, 1e-4, 1e-2, 0), (17, 1e-4, 1e-2, 0), (18, 1e-5, 1e-3, 0), (24, 1e-5, 1e-3, 0),
        (25, 1e-5, 1e-3, 1e-3), (29, 1e-5, 1e-3, 1e-3), (30, 1e-6, 1e-4, 1e-4),
        (34, 1e-6, 1e-4, 1e-4), (35, 1e-6, 1e-4, 1e-5), (40, 1e-6, 1e-4, 1e-5),
    ],
)
def test_learning_rates_fall_as_in_the_paper(paper, epoch, encoders, detector, scheduler):
    recipe = paper.joint
    seen = rates(recipe, [
        (1, recipe.decay_epochs), (1, recipe.decay_epochs),
        (recipe.scheduler_from, recipe.scheduler_decay_epochs),
    ])
    assert len(seen) == 40
    assert seen[epoch] == pytest.approx([encoders, detector, scheduler])


def test_the_recipe_is_the_papers(paper):
    assert paper.phases == ('baseline', 'joint')
    assert paper.model.backbone == 'mobilenet_v2'
    assert (paper.model.feature_channels, paper.model.residual) == (1280, False)
    assert (paper.joint.frames, paper.joint.batch_size) == (10, 12)
    assert (paper.joint.thinning, paper.joint.unthinned_epochs) == (25, 2)
    assert (paper.joint.momentum, paper.joint.weight_decay) == (0.9, 5e-4)
    assert paper.temporal.seen == pytest.approx([1 / 3] * 3)
    assert paper.temporal.forecast_share == 0
    assert not paper.temporal.detach_scheduler
    loss = paper.loss
    assert (loss.localisation, loss.classification, loss.forecast, loss.decision) == (1, 1, 1, 0.7)


class NamedClip(Clip):
    """A clip without pictures, to count."""

    fps = 30.0

    def __init__(self, name, frames=300):
        self.name, self.frames, self.asked = name, frames, []

    def __len__(self):
        return self.frames

    def read(self, index):
        self.asked.append(index)
        return np.zeros((8, 8, 3), np.uint8)

    def truth(self, index):
        return Truth()


def named(letter, count):
    return ClipDataset(('a',), [NamedClip(f'{letter}{i}') for i in range(count)])


def test_an_epoch_has_one_clip_of_each_video_and_its_share_of_stills(paper):
    recipe = replace(paper.joint, epochs=3, batch_size=4, stills=0.5)
    sampler = ClipSampler(named('v', 8), named('s', 40), recipe, TINY, seed=0)
    assert (sampler.steps_per_epoch, sampler.steps) == (3, 9)
    epochs = []
    for epoch in range(3):
        names = [clip.name for step in range(3 * epoch, 3 * epoch + 3)
                 for clip in sampler.clips(step)]
        assert sorted(n for n in names if n[0] == 'v') == [f'v{i}' for i in range(8)]
        assert len({n for n in names if n[0] == 's'}) == 4
        epochs.append(names)
    assert epochs[0] != epochs[1]
    again = ClipSampler(named('v', 8), named('s', 40), recipe, TINY, seed=0)
    assert [clip.name for clip in again.clips(8)] == epochs[2][8:]


def test_more_clips_a_video_make_longer_epochs_and_the_last_batch_is_filled_up(paper):
    recipe = replace(paper.joint, epochs=1, batch_size=4, clips_per_video=2)
    sampler = ClipSampler(named('v', 3), None, recipe, TINY, seed=0)
    names = [clip.name for step in range(sampler.steps) for clip in sampler.clips(step)]
    assert sampler.steps == 2
    assert sorted(names[:6]) == ['v0', 'v0', 'v1', 'v1', 'v2', 'v2']
    assert names[6:] == names[:2]


def test_a_recipe_that_mixes_stills_asks_for_them(paper):
    with pytest.raises(ValueError, match='--stills'):
        ClipSampler(named('v', 3), None, replace(paper.joint, stills=1.0), TINY, seed=0)


def test_thinning_ends_with_the_last_two_epochs(paper):
    sampler = ClipSampler(named('v', 24), None, paper.joint, TINY, seed=0)
    assert sampler.steps_per_epoch == 2
    by_epoch = [sampler.thinning(2 * (epoch - 1)) for epoch in range(1, 41)]
    assert by_epoch == [25] * 38 + [0, 0]
    assert sampler.thinning(75) == 25
    assert sampler.thinning(76) == 0


def test_clips_have_ten_frames_and_one_at_equal_intervals(paper):
    recipe = replace(paper.joint, batch_size=6, epochs=4)
    data = named('v', 6)
    sampler = ClipSampler(data, None, recipe, replace(TINY, input_size=(32, 32)), 0)
    strides = []
    for batch in sampler.batches(0, workers=0):
        assert batch.images.shape == (6, 11, 3, 32, 32)
        strides.append(set())
        for clip in data.clips:
            (stride,) = set(np.diff(clip.asked))
            strides[-1].add(int(stride))
            assert 0 <= clip.asked[0] <= clip.asked[-1] < 300
            clip.asked.clear()
    assert max(strides[0] | strides[1]) > 5
    assert strides[2] == strides[3] == {1}


def test_workers_give_what_the_process_itself_gives(world, paper):
    recipe = replace(paper.joint, batch_size=2, epochs=2, frames=3)
    sampler = ClipSampler(world, None, recipe, TINY, seed=0)
    for mine, theirs in zip(sampler.batches(0, 0), sampler.batches(0, 1)):
        assert torch.equal(mine.images, theirs.images)
        assert mine.clips == theirs.clips
        for a, b in zip(mine.targets[0], theirs.targets[0]):
            assert torch.equal(a.boxes, b.boxes)


@pytest.mark.parametrize('workers', [0, 1])
def test_a_clip_that_cannot_be_read_is_named_in_a_line(paper, workers):
    class Broken(NamedClip):
        def read(self, index):
            raise FileNotFoundError(f'{self.name}/{index}.jpg: no such image file')

    recipe = replace(paper.joint, batch_size=1, epochs=1)
    sampler = ClipSampler(ClipDataset(('a',), [Broken('v')]), None, recipe, TINY, 0)
    with pytest.raises(FileNotFoundError, match=r'^v/\d+\.jpg: no such image file$'):
        next(sampler.batches(0, workers))


def test_ssd_crops_hold_an_object_or_take_everything(monkeypatch):
    rng = np.random.default_rng(0)
    box = np.array([[40, 30, 60, 45]], np.float32)
    areas, reach = [], []
    for _ in range(300):
        x, y, w, h = draw_ssd_window(rng, (100, 80), box)
        reach.append(x < 0 or y < 0 or x + w > 100 or y + h > 80)
        areas.append(w * h / 8000)
    assert max(areas) > 6
    assert min(areas) < 0.3
    assert 0.2 < np.mean(reach) < 0.6
    # Wherever a crop was found, it is of the overlap asked for.
    for overlap in (0.3, 0.7):
        monkeypatch.setattr(ssd_crop, 'OVERLAPS', (overlap,))
        found = 0
        for _ in range(100):
            x, y, w, h = draw_ssd_window(rng, (100, 80), np.array([[10, 8, 90, 72]], np.float32))
            # The whole canvas is what is left after too many trials.
            if w / h != pytest.approx(100 / 80):
                found += 1
                corners = np.array([[x, y, x + w, y + h]])
                assert iou(corners, np.array([[10, 8, 90, 72]])).max() >= overlap
        assert found > 20
    # Without objects nothing constrains a crop: the whole image, or the expanded one.
    for _ in range(30):
        _, _, w, h = draw_ssd_window(rng, (100, 80), np.zeros((0, 4), np.float32))
        assert w >= 100
        assert w / h == pytest.approx(100 / 80)


def test_windows_are_widened_to_the_aspect_about_their_centre():
    assert fit_aspect((10, 20, 30, 30), 2.0) == (-5, 20, 60, 30)
    assert fit_aspect((10, 20, 60, 15), 2.0) == (10, 12.5, 60, 30)


def test_a_whole_clip_gets_one_augmentation():
    image = np.random.default_rng(1).integers(0, 256, (80, 100, 3), np.uint8)
    box = np.array([[40, 30, 60, 45]], np.float32)
    truth = Truth(box, np.zeros(1, np.int64), np.zeros(1, np.int64))
    transform = draw_ssd_transform(np.random.default_rng(2), (100, 80), (64, 64), box, False)
    first, second = transform(image, truth), transform(image.copy(), truth)
    assert (first[0] == second[0]).all()
    assert (first[1].boxes == second[1].boxes).all()


class SameFrames(Clip):
    """A clip of one picture, over and over."""

    name = 'same'
    image = np.random.default_rng(1).integers(0, 256, (80, 100, 3), np.uint8)

    def __len__(self):
        return 12

    def read(self, index):
        return self.image

    def truth(self, index):
        return Truth(np.array([[40, 30, 60, 45]], np.float32), np.zeros(1, np.int64),
                     np.zeros(1, np.int64))


def test_all_frames_of_a_sampled_clip_are_augmented_alike():
    config = tiny_config(('a',))
    sampler = ClipSampler(ClipDataset(('a',), [SameFrames()]), None, SHORT, config.model, 0)
    pictures = []
    for batch in sampler.batches(0, 0):
        for images, targets in zip(batch.images, batch.targets):
            assert all(torch.equal(image, images[0]) for image in images)
            assert all(torch.equal(t.boxes, targets[0].boxes) for t in targets)
            pictures.append(images[0])
    # Each clip has its own.
    assert not torch.equal(pictures[0], pictures[1])


SHORT = SequenceRecipe(
    epochs=4, frames=2, batch_size=2, scheduler_from=3, decay_epochs=(2,), thinning=1,
    scheduler_decay_epochs=(4,), unthinned_epochs=1,
)


def tiny_config(labels, **changes):
    config = TrainConfig('tiny', replace(TINY, labels=labels), baseline=SHORT, joint=SHORT)
    temporal = replace(config.temporal, frames=2, detach_scheduler=False)
    return replace(config, temporal=temporal, **changes)


def weights_of(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_the_scheduler_is_untouched_before_its_epoch(world, tmp_path, monkeypatch):
    config = tiny_config(world.labels)
    network = make_tiny_network(labels=world.labels)
    before = {n: weights_of(getattr(network, n)).clone() for n in ('scheduler', 'encoder1')}
    after = []

    def look(values):
        after.append((values['step'], weights_of(network.scheduler).clone()))

    monkeypatch.setattr(progress, 'LOG_EVERY', 1)
    train_joint(network, world, None, PhaseSetup(config, CPU, tmp_path / 's.pt', look))
    # One step an epoch here: steps 0 and 1 are epochs 1 and 2.
    same = [torch.equal(weights, before['scheduler']) for _, weights in after]
    assert same == [True, True, False, False]
    assert not torch.equal(weights_of(network.encoder1), before['encoder1'])


def joint_losses(network, config, world, step, detach=False):
    sampler = ClipSampler(world, None, config.joint, config.model, 0)
    batch = next(sampler.batches(0, 0))
    prepare(network, trained=True)
    temporal = replace(config.temporal, detach_scheduler=detach)
    return batch, read_clips(network, batch.images, 0), replace(config, temporal=temporal), step


def gradients_of(network, features, targets, config, step, name):
    network.zero_grad(set_to_none=True)
    losses = sequence_losses(
        network, SequenceBatch(features, targets), config, network.anchors((64, 96)), step, 0.75,
        True, CPU,
    )
    losses[name][1].backward()
    parts = ('backbone', 'encoder1', 'encoder2', 'head', 'scheduler')
    return {p: any(q.grad is not None and q.grad.abs().sum() > 0
                   for q in getattr(network, p).parameters()) for p in parts}


def test_losses_reach_what_they_should(world):
    network = make_tiny_network(labels=world.labels)
    config = tiny_config(world.labels)
    batch, features, late, step = joint_losses(network, config, world, 3)
    reached = gradients_of(network, features, batch.targets, late, step, 'forecast')
    assert reached == {'backbone': True, 'encoder1': True, 'encoder2': False, 'head': False,
                       'scheduler': False}
    batch, features, late, step = joint_losses(network, config, world, 3)
    reached = gradients_of(network, features, batch.targets, late, step, 'decision')
    assert reached == {'backbone': True, 'encoder1': True, 'encoder2': True, 'head': False,
                       'scheduler': True}
    batch, features, late, step = joint_losses(network, config, world, 3, detach=True)
    reached = gradients_of(network, features, batch.targets, late, step, 'decision')
    assert [part for part, yes in reached.items() if yes] == ['scheduler']


def test_the_target_of_a_forecast_gets_no_gradient(world):
    network = make_tiny_network(labels=world.labels)
    config = tiny_config(world.labels)
    features = torch.rand(2, 3, 16, 2, 3, requires_grad=True)
    batch = next(ClipSampler(world, None, config.joint, config.model, 0).batches(0, 0))
    losses = sequence_losses(
        network, SequenceBatch(features, batch.targets), config, network.anchors((64, 96)), 0,
        0.0, False, CPU,
    )
    losses['forecast'][1].backward()
    # The last frame is only a target.
    assert features.grad[:, 1].abs().sum() > 0
    assert features.grad[:, 2].abs().sum() == 0


def test_truncation_cuts_the_state_not_the_values(world):
    network = make_tiny_network(labels=world.labels)
    config = tiny_config(world.labels)
    grads, maps = [], []
    for truncate in (0, 2):
        features = torch.rand(1, 5, 16, 2, 3, generator=torch.Generator().manual_seed(0))
        features.requires_grad_(True)
        recipe = replace(config.temporal, truncate=truncate, seen=(0, 1, 0))
        run = unroll(network, features, None, recipe, 0.0, torch.Generator().manual_seed(0))
        run.seen[3].sum().backward()
        maps.append(run.seen.detach())
        grads.append(features.grad.flatten(2).abs().sum(2)[0])
    assert torch.equal(*maps)
    assert (grads[0][:4] > 0).all()
    assert (grads[1][:2] == 0).all()
    assert (grads[1][2:4] > 0).all()


def test_computing_again_gives_the_same_gradients(world):
    config = tiny_config(world.labels)
    batch = next(ClipSampler(world, None, config.joint, config.model, 0).batches(0, 0))
    found = []
    for recompute in (0, 2):
        network = make_tiny_network(labels=world.labels)
        prepare(network, trained=True)
        read_clips(network, batch.images, recompute).square().sum().backward()
        found.append(network.backbone.stages[0][0].weight.grad)
    assert torch.allclose(*found, rtol=1e-4, atol=1e-7)


def test_baseline_first_then_modules_are_injected(world, tmp_path):
    config = tiny_config(world.labels)
    network = make_tiny_network(labels=world.labels)
    before = {n: weights_of(getattr(network, n)).clone() for n in
              ('backbone', 'head', 'encoder1', 'encoder2', 'scheduler')}
    baseline = train_baseline(
        network, world, None, PhaseSetup(config, CPU, tmp_path / 'b.pt', ignore))
    assert baseline.config.combination == 'recurrent'
    for name in ('backbone', 'head'):
        assert torch.equal(weights_of(getattr(network, name)),
                           weights_of(getattr(baseline, name)))
        assert not torch.equal(weights_of(getattr(network, name)), before[name])
    for name in ('encoder1', 'encoder2', 'scheduler'):
        assert torch.equal(weights_of(getattr(network, name)), before[name])


class OneBatch(ClipSampler):
    """The same batch in every step."""

    def batches(self, first, workers):
        return repeat(next(super().batches(0, workers)))


def test_training_end_to_end_learns_a_batch_by_heart(world, tmp_path):
    logged = []
    config = tiny_config(world.labels)
    config = replace(config, temporal=replace(config.temporal, seen=(0, 0, 1)))
    recipe = replace(SHORT, epochs=42, scheduler_from=30, decay_epochs=(38,), lr=1e-2)
    network = make_tiny_network(labels=world.labels)
    sampler = OneBatch(world, None, recipe, config.model, 0)
    setup = PhaseSetup(config, CPU, tmp_path / 's.pt', logged.append)
    train_sequences('baseline', network, sampler, recipe, setup)
    assert [values['step'] for values in logged] == [0, 20, 40]
    # Rounding, which differs with the number of threads, moves this by a few hundredths.
    assert logged[-1]['localisation'] < 0.85 * logged[0]['localisation']
    assert logged[-1]['classification'] < 0.85 * logged[0]['classification']
    assert 'decision' in logged[-1]
    assert 'decision' not in logged[1]
