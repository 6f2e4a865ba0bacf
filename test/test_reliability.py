"""The fuzz and the soak of docs/reliability.md in short: the same programs, less of it."""

import json

from benchmark_modules import imported
import pytest

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.config import StreamConfig
from forecast_detector.engine import StreamingDetector


@pytest.fixture
def reliability():
    with imported('reliability', 'hostile') as module:
        yield module


@pytest.fixture
def detector(tiny_weights):
    config = StreamConfig(score_threshold=0.05, max_gap_s=0.0)
    return StreamingDetector(load_checkpoint(tiny_weights), config, 'cpu', (64, 64))


def test_hostile_messages_change_no_answer(reliability, detector):
    found = reliability.fuzz(detector, 300, 5)
    assert found['wrong_answers'] == 0
    assert found['refused'] > 100 and found['answered'] > 20
    assert found['longest_text'] < 2000
    # 15 MB, once; a picture that was believed in takes 200 and more.
    assert found['grown_mb'] < 100 and found['grown_in_second_half_mb'] < 50


def test_the_same_seed_makes_the_same_messages(reliability):
    from hostile import messages, parameters

    def made(seed):
        return [(kind, bytes(fields.data), fields.header) for kind, fields in messages(seed, 50)]

    assert made(1) == made(1) != made(2)
    first, second = (list(map(repr, parameters(3, 50, ['p']))) for _ in range(2))
    assert first == second


def test_a_soak_counts_frames_and_memory(reliability, detector):
    found = reliability.soak(detector, 400, float('inf'), 2)
    assert found['frames'] == 400 and found['warm_mb'] > 0
    # It stays the same to the last page, here; a picture kept of each frame would be 3 MB.
    assert found['end_mb'] - found['warm_mb'] < 2
    json.dumps(found)


def test_a_soak_ends_when_its_time_is_over(reliability, detector):
    assert 0 < reliability.soak(detector, 10 ** 9, 0.2, 1)['frames'] < 10 ** 6
