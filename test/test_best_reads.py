"""What choosing READs well could gain: the best choice is the best, and shares are met."""

from itertools import combinations

from benchmark_modules import imported
import numpy as np
import pytest


@pytest.fixture
def best_reads():
    with imported('best_reads', 'data_options') as module:
        yield module


@pytest.fixture
def cost():
    return np.triu(np.random.default_rng(3).random((9, 9)), 1)


def total(cost, reads):
    ends = [*reads[1:], len(cost)]
    return sum(cost[read, read + 1:end].sum() for read, end in zip(reads, ends))


def test_the_best_reads_are_those_of_all_choices(best_reads, cost):
    every = [[0, *rest] for count in range(9) for rest in combinations(range(1, 9), count)]
    for of_read in (0.0, 0.4, 1.1, 100.0):
        (found,) = best_reads.best([cost])(of_read)
        least = min(total(cost, reads) + of_read * len(reads) for reads in every)
        assert total(cost, found) + of_read * len(found) == pytest.approx(least)
    assert found == [0]


def test_a_run_ends_where_its_costs_would_exceed_the_number(best_reads, cost):
    (reads,) = best_reads.accumulated([cost])(1.2)
    for read, end in zip(reads, [*reads[1:], len(cost)]):
        assert cost[read, read + 1:end].sum() <= 1.2
        assert end == len(cost) or cost[read, read + 1:end + 1].sum() > 1.2


def test_boxes_are_carried_no_further_than_was_followed(best_reads, cost, monkeypatch):
    monkeypatch.setattr(best_reads, 'LONGEST', 2)
    for chooser in (best_reads.accumulated([cost]), best_reads.best([cost])):
        (reads,) = chooser(1000.0)
        assert max(np.diff([*reads, len(cost)])) == 3


def test_a_share_is_met(best_reads, cost):
    for chooser in (best_reads.accumulated([cost] * 2), best_reads.best([cost] * 2)):
        reads = best_reads.at_share(chooser, 1 / 3, 18)
        assert best_reads.share_of(reads, 18) == pytest.approx(1 / 3, abs=0.12)


def test_frames_are_answered_by_the_last_read(best_reads, cost):
    found = {(read, now): (read, now) for read in range(9) for now in range(read, 9)}
    answers = best_reads.answers(best_reads.Carried(found, cost, cost), [0, 4, 5])
    assert answers == [(0, 0), (0, 1), (0, 2), (0, 3), (4, 4), (5, 5), (5, 6), (5, 7), (5, 8)]
