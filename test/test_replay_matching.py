"""Which image a live answer is to: loops, drops, and what the node counts as lost."""

import pytest

from forecast_detector.bags.messages import COMPRESSED_IMAGE, IMAGE
from forecast_detector.replay.heard import played_topic
from forecast_detector.replay.matching import Matcher, SentImage, stands_still

TOPIC = '/cam/image_raw'


def sent(*stamps, turns=1):
    matcher = Matcher([TOPIC])
    for turn in range(turns):
        for index, stamp_ns in enumerate(stamps):
            matcher.send(SentImage(TOPIC, turn, index, stamp_ns, stamp_ns))
    return matcher


def answer(matcher, stamp_ns):
    """Hear both answers; return (turn, index) of the image."""
    assert matcher.hear(TOPIC, 'decision', stamp_ns, b'd') is None
    shot = matcher.hear(TOPIC, 'detections', stamp_ns, b'D')
    assert shot.heard == {'decision': b'd', 'detections': b'D'}
    return shot.turn, shot.index


def test_equal_stamps_of_a_loop_are_named_apart_by_order():
    matcher = sent(1, 2, turns=2)
    assert [answer(matcher, s) for s in (1, 2, 1, 2)] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert matcher.open(TOPIC) == matcher.unaccounted(TOPIC) == 0


def test_the_two_answers_may_come_apart():
    matcher = sent(1, 2)
    assert matcher.hear(TOPIC, 'decision', 1, b'') is None
    assert matcher.hear(TOPIC, 'decision', 2, b'') is None
    assert matcher.hear(TOPIC, 'detections', 1, b'').index == 0
    assert matcher.open(TOPIC) == 1
    assert matcher.hear(TOPIC, 'detections', 2, b'').index == 1


def test_what_was_sent_before_an_answered_image_is_not_waited_for():
    matcher = sent(1, 2, 3, 4)
    assert answer(matcher, 3) == (0, 2)
    assert matcher.open(TOPIC) == 1
    assert matcher.hear(TOPIC, 'decision', 1, b'') is None  # nobody waits for it
    assert matcher.unaccounted(TOPIC) == 3  # until the node tells what became of them
    matcher.lose(TOPIC, 2)
    assert (matcher.open(TOPIC), matcher.unaccounted(TOPIC)) == (1, 1)


def test_images_that_the_node_counts_as_lost_are_not_waited_for():
    matcher = sent(1, 2, 3)
    matcher.lose(TOPIC, 2)
    assert matcher.open(TOPIC) == 1
    assert answer(matcher, 3) == (0, 2)
    assert matcher.open(TOPIC) == matcher.unaccounted(TOPIC) == 0


def test_without_stamps_an_image_that_is_lost_is_not_answered_by_the_next():
    matcher = sent(0)
    matcher.lose(TOPIC, 1)
    assert matcher.open(TOPIC) == 0
    matcher.send(SentImage(TOPIC, 0, 1, 0, 0))
    assert answer(matcher, 0) == (0, 1)
    assert matcher.open(TOPIC) == matcher.unaccounted(TOPIC) == 0


@pytest.mark.parametrize(('stamps', 'expected'), [
    ([1, 2, 3], False), ([0, 0, 0], True), ([1, 2, 2, 3], True), ([1, 2, 1, 3], True),
    ([*range(200)] * 2, False), ([*range(50)] * 2, True), ([], False), ([0], False),
])
def test_stamps_stand_still_if_images_on_their_way_share_one(stamps, expected):
    assert stands_still(stamps) == expected


def test_compressed_images_are_played_where_the_node_expects_them():
    assert played_topic('/cam/image', IMAGE) == '/cam/image'
    assert played_topic('/cam/image', COMPRESSED_IMAGE) == '/cam/image/compressed'
    assert played_topic('/cam/image/compressed', COMPRESSED_IMAGE) == '/cam/image/compressed'
    with pytest.raises(ValueError, match='taken for compressed images'):
        played_topic('/cam/image/compressed', IMAGE)
