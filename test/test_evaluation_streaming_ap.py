"""Streaming average precision: who answers which frame, on timelines drawn on paper."""

from clip_samples import BoxClip, linear
from evaluation_samples import found
import numpy as np
import pytest

from forecast_detector.evaluation.streaming_ap import arrivals, Latencies, pair, stream_clip
from forecast_detector.policies.step import Step
from forecast_detector.scoring.judging import judge
from forecast_detector.types import Action


def stamps(count, period_ms=10):
    return [k * period_ms * 1_000_000 for k in range(count)]


def known(count, *latencies_ms):
    """
    Frame whose answer is known at each frame, -1 for none, and the frames that were stepped.

    Latencies are of the first, second … step; the last one repeats.
    """
    stepped = []

    def step(index):
        stepped.append(index)
        return [(latencies_ms[min(len(stepped), len(latencies_ms)) - 1], index)]

    answers = pair(stamps(count), step)
    return [answer if isinstance(answer, int) else -1 for answer in answers], stepped


@pytest.mark.parametrize(('latencies_ms', 'expected', 'stepped'), [
    # Faster than the camera: every frame is answered one frame late.
    ((4,), [-1, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]),
    # Just in time: finished at the very stamp counts.
    ((10,), [-1, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]),
    # 15 ms: 0 done at 15; starts on frame 1, done at 30; on 3, done at 45; on 4, at 60; on 5.
    ((15,), [-1, -1, 0, 1, 1, 3], [0, 1, 3, 4, 5]),
    # 25 ms: 0 done at 25; on frame 2, done at 50; on frame 5.
    ((25,), [-1, -1, -1, 0, 0, 2], [0, 2, 5]),
    # A slow first step and fast ones: frames 1 and 2 are lost, then the detector waits.
    ((32, 4), [-1, -1, -1, -1, 3, 4], [0, 3, 4, 5]),
    # Slower than the whole clip: nothing is ever known.
    ((1000,), [-1] * 6, [0, 5]),
])
def test_the_last_answer_finished_by_a_frame_is_its_answer(latencies_ms, expected, stepped):
    assert known(6, *latencies_ms) == (expected, stepped)


def test_an_anticipation_finished_in_time_answers_the_next_frame_and_is_charged():
    def step(index):
        return [(4, ('seen', index)), (3, ('anticipated', index + 1))]

    answers = pair(stamps(4), step)
    assert answers[1:] == [('anticipated', 1), ('anticipated', 2), ('anticipated', 3)]

    def slow(index):
        return [(4, ('seen', index)), (7, ('anticipated', index + 1))]

    # Done at 4 and 11; the next step starts at 11 and is done at 15 and 22; then 26, 33.
    assert pair(stamps(4), slow)[1:] == [('seen', 0), ('seen', 1), ('seen', 2)]


def test_reads_and_forecasts_cost_what_each_of_them_costs():
    # READ 15, FORECAST 2 in turn: 0 is done at 15; frame 1 forecast, done at 17; frame 2 read
    # from 20 to 35; frame 3 forecast, done at 37; frame 4 read from 40 to 55; 5 from 55 to 57.
    costs = {0: 15, 1: 2, 2: 15, 3: 2, 4: 15, 5: 2}
    stepped = []

    def step(index):
        stepped.append(index)
        return [(costs[index], index)]

    answers = pair(stamps(6), step)
    assert not isinstance(answers[1], int)
    assert answers[2:] == [1, 1, 3, 3]
    assert stepped == [0, 1, 2, 3, 4, 5]


def test_stamps_need_not_be_even_but_must_not_go_back():
    milliseconds = [0, 5, 40, 45, 100]

    def step(index):
        return [(10, index)]

    # 0 done at 10; on 1 at once, done at 20; waits; 2 from 40 to 50; 3 from 50 to 60; 4.
    assert pair([m * 1_000_000 for m in milliseconds], step)[2:] == [1, 1, 3]
    with pytest.raises(ValueError, match='stamp of frame 2 goes back by 1 ms'):
        pair([0, 2_000_000, 1_000_000], step)


def test_an_anticipation_that_comes_late_still_counts_until_something_newer_is_known():
    def step(index):
        return [(4, ('seen', index)), (12, ('anticipated', index + 1))]

    # 0 is seen at 4, 1 anticipated at 16; then frame 1 is seen at 20, 2 anticipated at 32.
    assert pair(stamps(4), step)[1:] == [('seen', 0), ('seen', 1), ('seen', 1)]


class Recorded(BoxClip):
    """A clip with stamps and times of recording of its own."""

    def __init__(self, stamps_ns, recorded_ns=None):
        super().__init__('a', linear(len(stamps_ns)))
        self.stamps_ns, self.times_ns = stamps_ns, recorded_ns

    def stamp_ns(self, index):
        return self.stamps_ns[index]

    def recorded_ns(self, index):
        return self.times_ns[index] if self.times_ns else None


def test_frames_came_at_their_stamps_or_when_they_were_recorded():
    assert arrivals(Recorded([0, 5, 9], [1, 2, 3])) == ([0, 5, 9], None)
    still, back = [0, 0, 3], [3_000_000, 4_000_000, 0]
    times, note = arrivals(Recorded(still, [1, 2, 3]))
    assert times == [1, 2, 3] and 'streaming AP goes by the times of recording' in note
    for odd, recorded, how in (
        (still, [1, 1, 2], 'frame 1 is that of the frame before'),
        (still, None, 'frame 1 is that'),
        (back, [1, 2, 3], 'frame 2 goes back by 4 ms'), (back, None, 'frame 2 goes back by 4 ms'),
    ):
        with pytest.raises(ValueError, match=f'{how}.*leave --sap out'):
            arrivals(Recorded(odd, recorded))


def test_an_empty_clip_has_no_answers():
    assert pair([], lambda index: []) == []


class Teller:
    """Detects exactly what is there in the frame that it steps; forecasts take no time."""

    def __init__(self, latency_ms, anticipates=False):
        self.latency_ms, self.anticipates = latency_ms, anticipates

    def start(self, clip):
        self.clip = clip

    def step(self, frame):
        index = round(frame.stamp_ns * self.clip.fps / 1e9)

        def seen(at):
            box = self.clip.boxes[min(at, len(self.clip) - 1)]
            return found((*box, 0.9, 0))

        ahead = seen(index + 1) if self.anticipates else None
        return Step(seen(index), Action.READ, self.latency_ms, anticipated=ahead)


def score(runner, velocity, latencies=None):
    clip = BoxClip('a', linear(11, velocity=velocity, size=(20, 20)))
    return judge([stream_clip(runner, clip, latencies)], ['nut']).metrics.map50


def test_a_fast_detector_loses_only_the_first_frame_where_nothing_moves():
    assert score(Teller(20), (0, 0)) == pytest.approx(10 / 11)


def test_being_late_costs_where_things_move_and_anticipation_repays_it():
    # 30 frames a second; one frame late a box of 20 pixels is 12 pixels off: IoU 8/32.
    assert score(Teller(20), (12, 0)) == 0.0
    assert score(Teller(20, anticipates=True), (12, 0)) == pytest.approx(10 / 11)


def test_given_latencies_replace_the_measured_ones():
    # 5 pixels a frame: one frame late is IoU 15/25, two frames late 10/30.
    assert score(Teller(50), (5, 0), Latencies(20, 5)) == pytest.approx(10 / 11)
    assert score(Teller(20), (5, 0), Latencies(66, 5)) < 0.6
    assert np.isclose(score(Teller(20), (5, 0)), 10 / 11)


def test_a_planned_anticipation_takes_a_forecast_or_what_is_named():
    assert Latencies(60, 12).ahead == 12
    assert Latencies(60, 12, 5).ahead == 5
    # 33 ms a frame: READ and anticipation are done at 32 or at 40, in time for the next or not.
    teller = Teller(0, anticipates=True)
    assert score(teller, (12, 0), Latencies(20, 12)) == pytest.approx(10 / 11)
    assert score(teller, (12, 0), Latencies(20, 20)) < 0.2
    with pytest.raises(ValueError, match='at least 0'):
        Latencies(60, -1)
