"""READs of a part, as benchmarks/parts.py simulates them."""

from benchmark_modules import imported
import numpy as np
import pytest
import torch
from yolox_samples import make_detector, make_yolox, MovingNoise

from forecast_detector.boxes import Geometry
from forecast_detector.config import StreamConfig
from forecast_detector.engine.memory import tree_map
from forecast_detector.types import Policy

INPUT, CELLS = (128, 192), (4, 6)


@pytest.fixture
def parts():
    with imported('parts', 'parts_gain', 'trimmed_input', 'data_options') as module:
        yield module


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    network = make_yolox(input_size=INPUT, resize='trim', correction=4)
    return make_detector(tmp_path_factory.mktemp('parts'), StreamConfig(), network)


@pytest.fixture
def readings(parts, detector):
    return parts.read_clip(detector, MovingNoise(size=INPUT, shift=(3, 1)), 6)


def assert_equal(one, other):
    tree_map(lambda a, b: torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4), one, other)


def test_a_crop_of_all_is_a_read(parts, detector, readings):
    plan = parts.Plan(whole=8, crop=max(INPUT))
    features, share = parts.read_part(detector.network, readings[0].features, readings[3], plan)
    assert share == 1
    assert_equal(features, readings[3].features)
    found, work = parts.run(detector, readings, plan)
    assert work == 1
    read, _ = parts.run(detector, readings, parts.Plan(whole=1))
    for one, other in zip(found, read, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)


@pytest.mark.parametrize(('part', 'inside'), [
    ((0, 0, 3, 3), (0, 0, 2, 2)), ((1, 2, 3, 4), (2, 3, 2, 3)), ((0, 1, 4, 4), (0, 2, 4, 2)),
    ((0, 0, 4, 6), (0, 0, 4, 6)),
])
def test_pasting_changes_only_what_is_inside(parts, readings, part, inside):
    part = parts.Part(*part)
    assert part.inside(CELLS) == inside
    old = tree_map(torch.zeros_like, readings[0].features)
    old = old._replace(staleness=old.staleness + 1)
    crop = tree_map(lambda one: torch.ones_like(part.of(one, CELLS)), readings[1].features)
    crop = crop._replace(staleness=crop.staleness * 0)
    pasted = parts.paste(old, crop, part)
    top, left, height, width = inside
    for times, one in zip(
        (4, 2, 1, 1, 1), (*pasted.maps, 1 - pasted.staleness, pasted.objects), strict=True
    ):
        expected = torch.zeros_like(one)
        expected[..., times * top:times * (top + height),
                 times * left:times * (left + width)] = 1
        assert torch.equal(one, expected)
    assert all(not one.any() for one in old.maps)


def test_what_an_ideal_crop_gives_is_where_it_was_read(parts, readings):
    part = parts.Part(1, 1, 3, 4)
    crop = tree_map(lambda one: part.of(one, CELLS), readings[1].features)
    assert_equal(parts.paste(readings[1].features, crop, part), readings[1].features)


def test_work_is_the_share_of_pixels(parts, detector, readings):
    def work(*plan):
        return parts.run(detector, readings, parts.Plan(*plan))[1]

    assert [work(1), work(2), work(3), work(8)] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 6])
    assert work(8, 96) == pytest.approx((1 + 5 * 9 / 24) / 6)
    assert work(3, 96, True, True) == pytest.approx((2 + 4 * 9 / 24) / 6)


def test_forecasts_are_those_of_the_detector(parts, detector, readings):
    clip = MovingNoise(size=INPUT, shift=(3, 1))
    streaming = detector.variant()
    streaming.config = parts.CONFIG.replace(policy=Policy.ALTERNATE, read_every=3, blend=False)
    found, _ = parts.run(detector, readings, parts.Plan(3))
    assert min(map(len, found)) > 5
    for index, own in enumerate(found):
        other = streaming.step({'one': clip.frame(index)})['one'].or_raise().detections
        np.testing.assert_allclose(own.scores, other.scores, atol=1e-4)


def test_the_oracle_goes_where_the_forecast_errs(parts, detector, readings):
    true, corner = readings[2].features, parts.Part(0, 3, 3, 3)
    wrong = tree_map(torch.clone, true)
    for one in wrong.maps:
        corner.inside(CELLS).of(one, CELLS)[:, -5:] += 1
    plan = parts.Plan(8, 96, oracle=True, true_maps=True)
    mended, _ = parts.read_part(detector.network, wrong, readings[2], plan)
    assert_equal(mended, true)


def test_the_gain_is_over_whole_reads_of_the_same_work(parts):
    from parts_gain import gains, WHOLE

    def outcome(work, hits):
        return parts.Outcome(work, [(0.9, True)] * hits, 10)

    outcomes = {parts.Plan(every): [outcome(1 / every, 10 - every)] for every in WHOLE}
    crop, less = parts.Plan(8, 96), parts.Plan(16, 96)
    outcomes[crop], outcomes[less] = [outcome(3 / 8, 9)], [outcome(1 / 9, 9)]
    # Between every 2nd (0.8 at 1/2) and every 3rd (0.7 at 1/3) a quarter of the way.
    np.testing.assert_allclose(gains(outcomes, crop), [100 * (0.9 - 0.725)])
    assert np.isnan(gains(outcomes, less)).all()


def test_the_side_of_objects_is_in_pixels_of_the_input(parts):
    geometry = Geometry.fit((384, 256), INPUT, 'trim')
    boxes = np.array([[0, 0, 40, 20], [10, 10, 20, 90], [0, 0, 4, 4]], np.float32)
    truth = parts.Truth(boxes, np.zeros(3, np.int64))
    assert parts.side([truth, parts.Truth()], geometry) == pytest.approx(20)
