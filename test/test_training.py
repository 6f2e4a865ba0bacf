"""Matching, losses, augmentation, and that training learns, resumes and stops with a reason."""

from dataclasses import replace
import math

from conftest import make_tiny_network, TINY
import numpy as np
import pytest
import torch

from forecast_detector.data.base import Clip, ClipDataset, Truth
from forecast_detector.data.synthetic import load_synthetic
from forecast_detector.data.transforms import CropAndTurn, draw_window, Photometric
from forecast_detector.engine.recurrence import advance
from forecast_detector.model.head import HeadOutput
from forecast_detector.model.network import ForecastNetwork
from forecast_detector.training.bank_file import cached_bank
from forecast_detector.training.config import load_train_config, TrainConfig
from forecast_detector.training.detector import train_detector
from forecast_detector.training.feature_bank import draw_sequences, fill_bank, Segment
from forecast_detector.training.losses import AnchorTargets, assign, detection_losses, Target
from forecast_detector.training.matcher import match_anchors, pairwise_iou
from forecast_detector.training.phase import Phase, PhaseSetup
from forecast_detector.training.recipes import (
    DetectorRecipe,
    LossWeights,
    SchedulerRecipe,
    TemporalRecipe,
)
from forecast_detector.training.samples import clip_indices, draw_transform, StillSampler
from forecast_detector.training.scheduling import draw_thresholds, follow, train_scheduler
from forecast_detector.training.success import (
    decision_loss,
    forecast_serves,
    serves,
    UNKNOWN,
)
from forecast_detector.training.temporal import sequence_losses, train_temporal, unroll
from forecast_detector.types import Detections

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def world():
    return load_synthetic('train', clips=2, length=12, size=(96, 64))


def tiny_config(labels, steps=4, **temporal):
    return TrainConfig(
        'tiny',
        replace(TINY, labels=labels),
        detector=DetectorRecipe(steps=steps, batch_size=2, mosaic=0.5, ema=0.5),
        temporal=TemporalRecipe(
            **{'steps': steps, 'frames': 3, 'batch_size': 2, 'segments': 1, 'ema': 0.5,
               'forecast_share': 0.5, **temporal}
        ),
    )


def ignore(values):
    pass


def test_anchors_are_matched_by_overlap_and_an_object_always_gets_its_best():
    anchors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 6], [20, 20, 40, 40], [90, 90, 91, 91]])
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    # The second anchor overlaps the first object by 0.6, the third its own by a quarter.
    assert pairwise_iou(anchors, boxes)[1, 0] == pytest.approx(0.6)
    assert match_anchors(anchors, boxes).tolist() == [0, 0, 1, -1]
    assert match_anchors(anchors, boxes, threshold=0.7).tolist() == [0, -1, 1, -1]
    assert match_anchors(anchors, torch.zeros(0, 4)).tolist() == [-1] * 4


def test_perfect_predictions_cost_nothing_and_wrong_ones_cost_what_ssd_says():
    targets = AnchorTargets(torch.tensor([[1, 0, 0, 0, 0, 0]]), torch.zeros(1, 6, 4))
    logits = torch.full((1, 6, 2), -20.0)
    logits[0, 0, 1] = 20
    logits[0, 1:, 0] = 20
    regression = torch.zeros(1, 6, 4)
    loc, cls = detection_losses(HeadOutput(logits, regression), targets)
    assert (loc.item(), cls.item()) == (0, pytest.approx(0, abs=1e-6))
    # Undecided everywhere: one positive and its three hardest negatives at log 2 each; smooth
    # L1 of an error of 2 is 1.5.
    regression[0, 0, 0] = 2
    loc, cls = detection_losses(HeadOutput(torch.zeros(1, 6, 2), regression), targets)
    assert loc.item() == pytest.approx(1.5)
    assert cls.item() == pytest.approx(4 * math.log(2), rel=1e-6)


def test_without_a_matched_box_detection_losses_drop_out():
    targets = AnchorTargets(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 3, 4))
    logits = torch.randn(1, 3, 2, requires_grad=True)
    loc, cls = detection_losses(HeadOutput(logits, torch.zeros(1, 3, 4)), targets)
    (loc + cls).backward()
    assert (loc.item(), cls.item(), logits.grad.abs().sum().item()) == (0, 0, 0)


def test_assigned_targets_name_class_and_box():
    anchors = torch.tensor([[10.0, 10, 10, 10], [40, 40, 10, 10]])
    target = Target(torch.tensor([[5.0, 5, 15, 15]]), torch.tensor([3]))
    assigned = assign([target], anchors)
    assert assigned.classes.tolist() == [[4, 0]]
    assert assigned.regression.tolist() == [[[0, 0, 0, 0], [0, 0, 0, 0]]]


@pytest.mark.parametrize('quarter_turns', range(4))
@pytest.mark.parametrize('mirror', [False, True])
def test_boxes_follow_their_pixels_through_crop_mirror_and_turn(mirror, quarter_turns):
    image = np.zeros((60, 80, 3), np.uint8)
    image[20:30, 40:60] = 255
    truth = Truth(np.array([[40, 20, 60, 30]], np.float32), np.array([1]), np.array([7]))
    geometry = CropAndTurn((20, 10, 50, 40), mirror, quarter_turns)
    size = (80, 100) if quarter_turns % 2 == 0 else (100, 80)
    out, moved = geometry.image(image, size), geometry.truth(truth, size)
    assert out.shape[:2] == size
    rows, columns = np.where(out[..., 0] > 127)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert moved.boxes[0] == pytest.approx(found, abs=1)
    assert (moved.labels.tolist(), moved.tracks.tolist()) == ([1], [7])


def test_an_object_that_a_crop_cuts_away_is_no_longer_labelled():
    truth = Truth(
        np.array([[0, 0, 10, 10], [35, 0, 45, 10]], np.float32), np.array([0, 1]),
        np.array([0, 1]),
    )
    # The window keeps 3 of 10 columns of the first, all of the second.
    moved = CropAndTurn((7, 0, 40, 40)).truth(truth, (40, 40))
    assert moved.labels.tolist() == [1]


def test_a_window_contains_the_box_that_it_was_drawn_around():
    rng = np.random.default_rng(0)
    box = np.array([50, 40, 70, 55], np.float32)
    for _ in range(50):
        x, y, w, h = draw_window(rng, (100, 80), 1.0, (0.5, 1.2), box)
        assert x <= 50
        assert y <= 40
        assert x + w >= 70 - 1e-6
        assert y + h >= 55 - 1e-6


def test_photometric_without_a_draw_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert (Photometric()(image) == image).all()
    assert (Photometric(brightness=10)(np.full((1, 1, 3), 100, np.uint8)) == 110).all()
    grey = np.full((2, 2, 3), 90, np.uint8)
    assert (Photometric(saturation=1.5, hue=18)(grey) == grey).all()


def test_thinning_draws_equal_intervals_within_the_clip():
    rng = np.random.default_rng(0)
    strides = set()
    for _ in range(100):
        indices = clip_indices(rng, 33, 11, 25)
        steps = set(np.diff(indices))
        assert len(steps) == 1
        strides |= steps
        assert indices[0] >= 0
        assert indices[-1] <= 32
    assert strides == {1, 2, 3}
    assert clip_indices(rng, 3, 5, 25) == [0, 1, 2, 2, 2]


def test_a_batch_depends_on_the_seed_and_its_step_alone(world):
    sampler = StillSampler(world, tiny_config(world.labels).model, DetectorRecipe(), 3)
    whole = [batch.images for batch in sampler.batches(2, 0, 4)]
    resumed = [batch.images for batch in sampler.batches(2, 2, 4)]
    assert torch.equal(whole[2], resumed[0])
    assert torch.equal(whole[3], resumed[1])
    assert not torch.equal(whole[0], whole[1])


@pytest.mark.parametrize(
    ('boxes', 'labels', 'expected'),
    [
        ([[0, 0, 10, 10]], [0], True),
        ([[0, 0, 10, 10]], [1], False),
        ([[0, 0, 10, 6]], [0], False),
        ([], [], False),
    ],
)
def test_a_forecast_serves_if_every_object_is_found(boxes, labels, expected):
    target = Target(torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([0]))
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(len(labels), 0.4, np.float32),
        np.array(labels, np.int64),
    )
    assert serves(found, target, TemporalRecipe()) is expected


def test_an_empty_frame_is_served_unless_something_is_seen_with_confidence():
    empty = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    for score, expected in ((0.45, True), (0.55, False)):
        found = Detections(np.ones((1, 4), np.float32), np.array([score], np.float32),
                           np.zeros(1, np.int64))
        assert serves(found, empty, TemporalRecipe()) is expected


def test_unrolling_without_draws_equals_stepping():
    network = make_tiny_network()
    features = torch.randn(2, 5, 16, 2, 3, generator=torch.Generator().manual_seed(0))
    recipe = TemporalRecipe(seen=(0, 0, 1))
    with torch.no_grad():
        run = unroll(network, features, None, recipe, 0.0, torch.Generator().manual_seed(0))
        own = unroll(network, features, None, recipe, 1.0, torch.Generator().manual_seed(0))
        state = free = network.zero_state(features[:, 0])
        forecast = features[:, 0]
        for t in range(4):
            step = advance(network, features[:, t], state)
            state = step.state
            assert torch.allclose(run.expected[t], step.forecast, atol=1e-6)
            seen = network.combine(features[:, t], step.converted)
            assert torch.allclose(run.seen[t], seen, atol=1e-6)
            rolled = advance(network, forecast, free)
            free, forecast = rolled.state, rolled.forecast
            assert torch.allclose(own.expected[t], forecast, atol=1e-6)


def test_unrolled_peeks_equal_steps_that_peek():
    network = make_tiny_network(peek=4)
    torch.nn.init.normal_(network.peek.project.weight, std=0.3)
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(2, 5, 16, 2, 3, generator=draw)
    previews = torch.randn(2, 5, network.preview_channels, 2, 3, generator=draw)
    with torch.no_grad():
        run = unroll(network, features, previews, TemporalRecipe(seen=(0, 0, 1)), 1.0, draw)
        state, current = network.zero_state(features[:, 0]), features[:, 0]
        for t in range(4):
            forecast, converted, state = network.encode(current, state)
            current, surprise = network.peek(forecast, previews[:, t + 1], previews[:, t])
            logits = network.scheduler(current, converted, surprise)
            assert torch.allclose(run.expected[t], current, atol=1e-6)
            assert torch.allclose(run.scheduler_logits[t], logits, atol=1e-5)


def test_a_peek_learns_what_no_forecast_can_know(tmp_path):
    config = tiny_config(TINY.labels, steps=60, lr=2e-2)
    config = replace(config, model=replace(config.model, peek=4))
    torch.manual_seed(0)
    network = ForecastNetwork(config.model)
    # Every frame is new; its features are those of its thumbnail.
    previews = torch.rand(8, network.preview_channels, 2, 3) * 2
    previews[:, -network.peek.cell**2:] = 0
    nothing = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    bank = [Segment(previews[:, :16], [nothing] * 8, previews)]
    logged = []
    train_temporal(network, bank, PhaseSetup(config, CPU, tmp_path / 't.pt', logged.append))
    # A blind one learns the mean of all frames, and no more: 0.87.
    assert logged[-1]['forecast'] < 0.6 * logged[0]['forecast']


@pytest.mark.parametrize('peek', [0, 4])
def test_a_bank_keeps_looks_for_networks_that_peek(world, peek):
    config = tiny_config(world.labels)
    network = ForecastNetwork(replace(config.model, peek=peek))
    segment = fill_bank(network, world, config.temporal, False, 0, CPU)[0]
    if peek:
        assert segment.previews.shape == (len(segment), network.preview_channels, 2, 3)
    else:
        assert segment.previews is None


def test_both_phases_learn_and_give_finite_weights(world, tmp_path):
    config = tiny_config(world.labels, steps=25)
    torch.manual_seed(0)
    network = ForecastNetwork(config.model)
    logged = []
    network = train_detector(
        network, world, PhaseSetup(config, CPU, tmp_path / 'd.pt', logged.append))
    assert logged[-1]['cls'] < logged[0]['cls']
    bank = fill_bank(network, world, config.temporal, False, 0, CPU)
    assert len(bank) == 2
    before = network.encoder1.project.weight.clone()
    network = train_temporal(
        network, bank, PhaseSetup(config, CPU, tmp_path / 't.pt', logged.append))
    assert not torch.equal(before, network.encoder1.project.weight)
    assert logged[-1]['phase'] == 'temporal'
    assert 'decision' in logged[-1]
    assert all(torch.isfinite(p).all() for p in network.parameters())


def test_sequences_have_one_extra_frame_and_their_own_targets(world):
    config = tiny_config(world.labels)
    torch.manual_seed(0)
    bank = fill_bank(ForecastNetwork(config.model), world, config.temporal, False, 0, CPU)
    batch = draw_sequences(bank, 2, 4, 2, (0,))
    assert batch.features.shape == (2, 4, 16, 2, 3)
    assert [len(targets) for targets in batch.targets] == [4, 4]
    again = draw_sequences(bank, 2, 4, 2, (0,))
    assert torch.equal(batch.features, again.features)


def test_a_cut_sequence_goes_on_with_another_segment():
    def segment(value, name):
        targets = [Target(torch.full((1, 4), value), torch.tensor([0]))] * 9
        features = torch.full((9, 1, 1, 1), value)
        return Segment(features.half(), targets, features.half(), name)

    bank = [segment(0.0, 'a'), segment(1.0, 'b')]
    batch = draw_sequences(bank, 16, 6, 0, (0,), cut=1.0)
    assert {'a, b', 'b, a'} < set(batch.clips) <= {'a, a', 'a, b', 'b, a', 'b, b'}
    for features, previews, targets, names in zip(
        batch.features[..., 0, 0, 0], batch.previews[..., 0, 0, 0], batch.targets, batch.clips
    ):
        expected = sorted(features.tolist(), reverse=names == 'b, a')
        assert features.tolist() == previews.tolist() == expected
        assert [target.boxes[0, 0].item() for target in targets] == expected
        assert set(expected) == {float(name == 'b') for name in names.split(', ')}


def test_the_scheduler_joins_late_and_does_not_bend_the_features(world):
    config = tiny_config(world.labels, steps=10, scheduler_from=0.6)
    torch.manual_seed(0)
    network = make_tiny_network(labels=world.labels)
    bank = fill_bank(network, world, config.temporal, False, 0, CPU)
    batch = draw_sequences(bank, 2, 4, 0, (0,))
    anchors = network.anchors(config.model.input_size)
    assert 'decision' not in sequence_losses(network, batch, config, anchors, 5, 0.5, False, CPU)
    losses = sequence_losses(network, batch, config, anchors, 6, 0.6, True, CPU)
    losses['decision'][1].backward()
    assert network.scheduler.fc.weight.grad.abs().sum() > 0
    assert network.encoder1.project.weight.grad is None


@pytest.mark.parametrize('phase', [0, 1], ids=['sequences', 'detector'])
def test_the_terms_of_the_loss_are_weighted_as_the_recipe_says(
    world, tmp_path, monkeypatch, phase
):
    totals, terms = [], []
    update = Phase.update
    monkeypatch.setattr(Phase, 'update', lambda self, step, total, *rest: (
        totals.append(total.item()), update(self, step, total, *rest)))
    config = replace(
        tiny_config(world.labels, steps=1, scheduler_from=0.0),
        loss=LossWeights(2.0, 3.0, 5.0, 7.0, 11.0),
    )
    torch.manual_seed(0)
    network = make_tiny_network(labels=world.labels)
    if phase == 0:
        bank = fill_bank(network, world, config.temporal, False, 0, CPU)
        train_temporal(network, bank, PhaseSetup(config, CPU, tmp_path / 's.pt', terms.append))
        weights = {'localisation': 2, 'classification': 3, 'forecast': 5, 'decision': 7,
                   'forecast_detection': 11}
    else:
        train_detector(network, world, PhaseSetup(config, CPU, tmp_path / 's.pt', terms.append))
        weights = {'loc': 2, 'cls': 3}
    assert all(terms[0][name] > 0 for name in weights)
    assert totals[0] == pytest.approx(
        sum(weight * terms[0][name] for name, weight in weights.items()), rel=1e-5)


def test_the_detector_learns_on_the_forecast_map_only_if_asked(world):
    network = make_tiny_network(labels=world.labels)
    config = tiny_config(world.labels)
    bank = fill_bank(network, world, config.temporal, False, 0, CPU)
    batch = draw_sequences(bank, 2, 4, 0, (0,))
    anchors = network.anchors(config.model.input_size)
    given = network, batch, config, anchors, 0, 0.0, False, CPU
    assert set(sequence_losses(*given)) == {'localisation', 'classification', 'forecast'}
    given = network, batch, replace(config, loss=LossWeights(forecast_detection=1.0)), *given[3:]
    sequence_losses(*given)['forecast_detection'][1].backward()
    # The second encoder has no part in the forecast.
    assert network.encoder1.project.weight.grad.abs().sum() > 0
    assert network.encoder2.project.weight.grad is None


class SparseClip(Clip):
    """Identical frames, some of which nobody annotated."""

    name = 'sparse'

    def __init__(self, annotated, size=(64, 96)):
        self.annotated = annotated
        self.image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)

    def __len__(self):
        return len(self.annotated)

    def read(self, index):
        return self.image

    def truth(self, index):
        if not self.annotated[index]:
            return Truth(annotated=False)
        return Truth(np.array([[20, 20, 60, 50]], np.float32), np.zeros(1, np.int64),
                     np.zeros(1, np.int64))


def test_frames_that_nobody_annotated_teach_no_objects(tmp_path):
    dataset = ClipDataset(('a',), [SparseClip([False, True, False, True, False, False])])
    config = tiny_config(('a',), relative=False)
    sampler = StillSampler(dataset, config.model, DetectorRecipe(mosaic=0.5), 3)
    targets = [t for batch in sampler.batches(4, 0, 8) for t in batch.targets]
    assert len(targets) == 32 and all(target.annotated for target in targets)
    network = make_tiny_network(labels=('a',))
    bank = fill_bank(network, dataset, config.temporal, False, 0, CPU)
    flags = [False, True, False, True, False, False]
    assert [target.annotated for target in bank[0].targets] == flags
    kept = cached_bank(tmp_path / 'bank.pt', 'k', lambda: bank)
    assert [target.annotated for target in kept[0].targets] == flags
    serves = forecast_serves(network, bank[0].features.float(), None, bank[0].targets,
                             network.decoding(config.model.input_size), config.temporal)
    assert [label.item() == UNKNOWN for label in serves] == [not flag for flag in flags]
    logits = torch.tensor([[0.0, 3.0], [1.0, 0.0], [9.0, 0.0]])
    judged = decision_loss(logits, torch.tensor([1, 0, UNKNOWN]))
    assert judged.item() == pytest.approx(
        torch.nn.functional.cross_entropy(logits[:2], torch.tensor([1, 0])).item())
    assert decision_loss(logits, torch.full((3,), UNKNOWN)).item() == 0
    never = ClipDataset(('a',), [SparseClip([False, False])])
    with pytest.raises(ValueError, match='no frame of the data set was annotated'):
        StillSampler(never, config.model, DetectorRecipe(), 3)
    some = ClipDataset(('a',), [*never.clips, *dataset.clips])
    (batch,) = StillSampler(some, config.model, DetectorRecipe(), 3).batches(8, 0, 1)
    assert all(target.annotated for target in batch.targets)


def test_an_image_without_objects_adds_nothing_to_the_detection_losses():
    anchors = torch.tensor([[10.0, 10, 10, 10], [40, 40, 10, 10]])
    there = Target(torch.tensor([[5.0, 5, 15, 15]]), torch.tensor([0]))
    unseen = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), annotated=False)
    torch.manual_seed(0)
    logits, regression = torch.randn(2, 2, 2), torch.randn(2, 2, 4)
    both = detection_losses(HeadOutput(logits, regression), assign([there, unseen], anchors))
    alone = detection_losses(
        HeadOutput(logits[:1], regression[:1]), assign([there], anchors))
    assert torch.allclose(torch.stack(both), torch.stack(alone))


def test_a_stretch_of_a_clip_gets_one_augmentation():
    dataset = ClipDataset(('a',), [SparseClip([True] * 9)])
    network = make_tiny_network(labels=('a',))
    recipe = tiny_config(('a',)).temporal
    (segment,) = fill_bank(network, dataset, recipe, False, 0, CPU)
    assert all(torch.equal(features, segment.features[0]) for features in segment.features)
    assert all(torch.equal(t.boxes, segment.targets[0].boxes) for t in segment.targets)


@pytest.mark.parametrize('letterbox', [True, False])
def test_training_stretches_images_if_inference_does(letterbox):
    rng = np.random.default_rng(0)
    for _ in range(20):
        transform = draw_transform(rng, (1280, 720), (320, 320), turns=False, letterbox=letterbox)
        _, _, width, height = transform.geometry.window
        assert width / height == pytest.approx(1.0 if letterbox else 1280 / 720)


def test_the_scheduler_alone_learns_on_streams_that_it_steers(world, tmp_path):
    config = tiny_config(world.labels)
    config = replace(config, scheduler=SchedulerRecipe(
        steps=15, frames=4, batch_size=2, thinning=1, cut=0.5))
    network = make_tiny_network(labels=world.labels)
    bank = fill_bank(network, world, config.temporal, False, 0, CPU)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    logged = []
    train_scheduler(network, bank, PhaseSetup(config, CPU, tmp_path / 's.pt', logged.append))
    changed = {key for key, value in network.state_dict().items()
               if not torch.equal(value, before[key])}
    assert changed
    assert all(key.startswith('scheduler.') for key in changed)
    assert 0 < logged[0]['read_share'] <= 1


def test_streams_follow_their_threshold(world):
    config = tiny_config(world.labels)
    network = make_tiny_network(labels=world.labels)
    bank = fill_bank(network, world, config.temporal, False, 0, CPU)
    batch = draw_sequences(bank, 2, 5, 0, (0,))
    decoding = network.decoding(config.model.input_size)
    for p, expected in ((1.0, 1.0), (0.0, 0.25)):
        both = torch.full((2,), p)
        logits, labels, share = follow(
            network, batch.features, None, batch.targets, both, decoding, config
        )
        assert (logits.shape, labels.shape) == ((8, 2), (8,))
        assert share == expected


def test_thresholds_lie_in_their_range():
    recipe = SchedulerRecipe(batch_size=500, p=(0.4, 0.9))
    p = draw_thresholds(recipe, np.random.default_rng(0))
    assert 0.4 <= p.min() < 0.45 and 0.85 < p.max() <= 0.9
    for wrong in ({'p': (0.9, 0.4)}, {'p': (0.0, 0.5)}, {'cut': 1.5}):
        with pytest.raises(ValueError, match=f'^{next(iter(wrong))}: '):
            SchedulerRecipe(**wrong)


def test_the_state_of_another_recipe_is_refused(world, tmp_path):
    for steps, message in ((2, None), (3, 'another recipe')):
        config = tiny_config(world.labels, steps=steps)
        network = ForecastNetwork(config.model)
        if message is None:
            train_detector(network, world, PhaseSetup(config, CPU, tmp_path / 's.pt', ignore))
        else:
            with pytest.raises(ValueError, match=message):
                train_detector(network, world, PhaseSetup(config, CPU, tmp_path / 's.pt', ignore))


def test_a_large_image_is_averaged_not_sampled():
    # Columns of black and white: their average is grey, any sample of them is not.
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    small = CropAndTurn((0, 0, 400, 400)).image(stripes, (100, 100))
    assert abs(small[10:90, 10:90].astype(int) - 127).max() < 10


def test_a_loss_that_is_not_finite_stops_with_the_step(world, tmp_path):
    config = tiny_config(world.labels)
    network = ForecastNetwork(config.model)
    with torch.no_grad():
        network.head.classification[0][-1].bias.fill_(float('nan'))
    with pytest.raises(RuntimeError, match=r'step 0 \(clips: synthetic_0, synthetic_1\): lower'):
        train_detector(network, world, PhaseSetup(config, CPU, tmp_path / 's.pt', ignore))


def test_recipes_are_checked_and_errors_name_the_file(tmp_path):
    path = tmp_path / 'recipe.yaml'
    path.write_text('detector: {stepps: 3}')
    with pytest.raises(ValueError, match=r'recipe\.yaml.*stepps'):
        load_train_config(path, ('a',))
    path.write_text('info: {year: 2024}')
    with pytest.raises(ValueError, match=r'recipe\.yaml.*2024'):
        load_train_config(path, ('a',))
    path.write_text('model: {preset: paper}\ntemporal: {steps: 7}')
    config = load_train_config(path, ('a',))
    assert (config.name, config.temporal.steps) == ('recipe', 7)
    assert config.model.feature_channels == 1280
