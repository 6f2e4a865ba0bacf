"""Which truth is which image's: on paper, where stamps tell and where they do not."""

import json

import numpy as np
import pytest
from recording_samples import flat, LABELS, one

from forecast_detector.bags import BagError, BagWriter
from forecast_detector.cli.main import main
from forecast_detector.data.rosbag import RosbagClip
from forecast_detector.data.rosbag_pairing import pair, Recorded

NEAR = 5


def images(*rows, repeats=()):
    """Write images as (time of recording, stamp)."""
    return [Recorded(log, stamp, repeats=k in repeats) for k, (log, stamp) in enumerate(rows)]


def truths(*rows):
    """Write truths as (time of recording, stamp, content)."""
    return [Recorded(*row) for row in rows]


def zero(*times):
    return [(time, 0) for time in times]


def alike(*times):
    return [(time, 0, str(k)) for k, time in enumerate(times)]


LOOP = [(0, 10), (100, 20), (200, 30), (300, 10), (400, 20), (500, 30)]
CASES = {
    'stamps tell': (LOOP[:3], [(1, 10, 'a'), (101, 20, 'b')], [0, 1, None], 0),
    'zero, by order': (zero(0, 100, 200), alike(1, 101, 201), [0, 1, 2], 1),
    'zero, in a block': (zero(0, 100, 200), alike(900, 901, 902), [0, 1, 2], 1),
    'zero, all recorded at one time': (zero(0, 0, 0), alike(0, 0, 0), [0, 1, 2], 1),
    'zero, fewer, by time': (zero(0, 100, 200, 300), alike(101, 301), [None, 0, None, 1], 1),
    'zero, fewer, late': (zero(0, 100, 200), alike(50, 150), [None] * 3, 1),
    'zero, more, by time': (zero(0, 100), alike(1, 50, 101), [0, 2], 1),
    'zero, the last truth is missing': (zero(0, 100, 200), alike(120, 220), [None] * 3, 1),
    'order and time contradict': (zero(100, 200, 300), alike(1, 101, 201), [None] * 3, 1),
    'a loop, both recorded': (
        LOOP, [(t + 60, s, f'{s}') for t, s in LOOP], [0, 1, 2, 3, 4, 5], 1),
    'a loop, one turn of truth': (
        LOOP, [(t + 1, s, f'{s}') for t, s in LOOP[:3]], [0, 1, 2, 0, 1, 2], 1),
    'a loop, one truth lost': (
        LOOP, [(t + 1, s, f'{s}') for t, s in LOOP[:5]], [0, 1, 2, 3, 4, 2], 1),
    'a truth twice': (LOOP[:2], [(1, 10, 'a'), (2, 10, 'a'), (101, 20, 'b')], [0, 2], 1),
    'two truths that differ': (
        LOOP[:2], [(40, 10, 'a'), (60, 10, 'b'), (101, 20, 'c')], [None, 2], 1),
    'two that differ, one in time': (
        LOOP[:2], [(1, 10, 'a'), (60, 10, 'b'), (101, 20, 'c')], [0, 2], 1),
    'a stamp that stands still': (
        [(0, 10), (100, 10), (200, 20)], [(1, 10, 'a'), (201, 20, 'b')], [0, None, 1], 1),
    'another clock, the same steps': (
        LOOP[:3], [(1, 9010, 'a'), (101, 9020, 'b'), (201, 9031, 'c')], [0, 1, 2], 1),
    'another clock, fewer': (LOOP[:3], [(1, 9010, 'a'), (101, 9020, 'b')], [None] * 3, 0),
    'another clock, other steps': (
        LOOP[:3], [(1, 9010, 'a'), (101, 9050, 'b'), (201, 9060, 'c')], [None] * 3, 0),
    'truths without stamps': (LOOP[:3], alike(1, 101, 201), [0, 1, 2], 1),
    'truths without stamps, fewer': (LOOP[:3], alike(101, 201), [None, 0, 1], 1),
    'images without stamps': (
        zero(0, 100, 200), [(1, 50, 'a'), (101, 60, 'b'), (201, 70, 'c')], [0, 1, 2], 1),
    'stamps begin late': (
        [(0, 0), (100, 0), (200, 30)], [(1, 0, 'a'), (101, 0, 'b'), (201, 30, 'c')], [0, 1, 2], 1),
    'no truth': (zero(0, 100), [], [None, None], 0),
    'no images': ([], alike(1), [], 0),
}


@pytest.mark.parametrize('case', CASES)
def test_truths_are_paired_or_left_out_and_never_merged(case):
    ours, theirs, expected, notes = CASES[case]
    found = pair(images(*ours), truths(*theirs), NEAR)
    assert found.truths == expected
    assert len(found.notes) == notes


def test_a_picture_that_was_published_twice_has_one_truth():
    twice = [(0, 10), (1, 10), (100, 20), (101, 20)]
    late = [(60, 10, 'a'), (160, 20, 'b')]
    assert pair(images(*twice, repeats=(1, 3)), truths(*late), NEAR).truths == [0, 0, 1, 1]
    still = zero(0, 1, 100, 101)
    assert pair(images(*still, repeats=(1, 3)), truths(*alike(60, 160)), NEAR).truths == (
        [0, 0, 1, 1])
    # Alike and as many as truths: the pictures may well be of a scene in which nothing moves.
    assert pair(images(*zero(0, 100), repeats=(1,)), truths(*alike(1, 101)), NEAR).truths == [0, 1]


def test_messages_that_cannot_be_read_keep_their_place_in_the_order():
    ours = [Recorded(0, 0), Recorded(100, None, is_whole=False), Recorded(200, 0)]
    assert pair(ours, truths(*alike(60, 160, 260)), NEAR).truths == [0, 1, 2]
    theirs = truths((60, 0, 'a'), (160, None), (260, 0, 'c'))
    assert pair(images(*zero(0, 100, 200)), theirs, NEAR).truths == [0, 1, 2]


def write(path, stamps, truth_stamps, delay_ns=0):
    """Record images at 10 Hz with stamps of their own, and an object each that moves."""
    with BagWriter(path) as bag:
        for k, stamp in enumerate(stamps):
            bag.image('/cam/image_raw', flat(k), stamp, log_ns=k * 100_000_000)
        for k, stamp in truth_stamps:
            bag.detections('/cam/truth', one([k, 2, k + 10, 12], 0), LABELS, stamp,
                           log_ns=k * 100_000_000 + delay_ns)
    return path


def boxes(clip):
    """Left side of the only box of each image; None of those that nobody annotated."""
    return [float(clip.truth(k).boxes[0, 0]) if clip.truth(k).annotated else None
            for k in range(len(clip))]


def test_a_clip_without_stamps_has_one_box_an_image_and_says_how(tmp_path):
    clip = RosbagClip(write(tmp_path / 'b', [0] * 6, [(k, 0) for k in range(6)], 50_000_000))
    assert boxes(clip) == [0, 1, 2, 3, 4, 5]
    assert '6 images and 6 truths have the stamp 0 ns' in clip.lacks
    assert clip.fps == 10.0
    clip = RosbagClip(write(tmp_path / 'c', [0] * 6, [(k, 0) for k in (1, 4)]))
    assert boxes(clip) == [None, 1, None, None, 4, None] and clip.unmatched == 4


def test_truths_that_no_order_tells_are_refused_with_the_reason(tmp_path):
    path = write(tmp_path / 'b', [0] * 6, [(k, 0) for k in (1, 4)], 50_000_000)
    with pytest.raises(BagError, match='6 images and 2 truths have the stamp 0 ns: neither'):
        RosbagClip(path)


def test_a_recorded_loop_keeps_each_box_once(tmp_path):
    stamps = [10 ** 9 * (1 + k % 3) for k in range(6)]
    clip = RosbagClip(write(tmp_path / 'b', stamps, list(enumerate(stamps))))
    assert boxes(clip) == [0, 1, 2, 3, 4, 5]


def score(root, weights, tmp_path, *options):
    out = tmp_path / 'score.json'
    status = main([str(option) for option in (
        'evaluate', '--dataset', 'rosbag', '--root', root, '--device', 'cpu', '--weights', weights,
        '--policy', 'read', '--json', out, *options)])
    return status, json.loads(out.read_text())


def test_a_score_does_not_depend_on_stamps_that_are_not_set(
    weights, tmp_path, capsys
):
    proper = [k * 100_000_000 for k in range(6)]
    write(tmp_path / 'proper', proper, list(enumerate(proper)))
    write(tmp_path / 'zero', [0] * 6, [(k, 0) for k in range(6)])
    ours, theirs = (score(tmp_path / name, weights, tmp_path)[1] for name in ('proper', 'zero'))
    for name in ('map50', 'map50_tolerant', 'frames', 'annotated'):
        assert ours[name] == theirs[name], name
    assert capsys.readouterr().err.count('have the stamp 0 ns') == 1


def test_streaming_ap_goes_by_times_of_recording_or_not_at_all(
    weights, tmp_path, capsys
):
    streamed = ('--sap', '--latency', '150,20')
    proper = [k * 100_000_000 for k in range(6)]
    write(tmp_path / 'proper', proper, list(enumerate(proper)))
    write(tmp_path / 'zero', [0] * 6, [(k, 0) for k in range(6)])
    ours, theirs = (score(tmp_path / name, weights, tmp_path, *streamed)[1]
                    for name in ('proper', 'zero'))
    assert ours['sap50'] == theirs['sap50'] is not None
    assert capsys.readouterr().err.count('streaming AP goes by the times of recording') == 1
    with BagWriter(tmp_path / 'bags' / 'still') as bag:
        for k in range(4):
            bag.image('/cam/image_raw', flat(k), 0)
    write(tmp_path / 'bags' / 'proper', proper, list(enumerate(proper)))
    status, result = score(tmp_path / 'bags', weights, tmp_path, *streamed)
    assert (status, result['clips']) == (3, 1)
    assert 'the stamp of frame 1 is that of the frame before' in result['skipped'][0]['reason']


def test_clips_without_stamps_survive_the_way_to_coco_and_back(tmp_path):
    write(tmp_path / 'b', [0] * 6, [(k, 0) for k in (0, 2, 3)])
    for command in (
        ('--from', 'rosbag', '--root', tmp_path / 'b', '--to', 'coco_vid', '--out',
         tmp_path / 'coco', '--png'),
        ('--from', 'coco_vid', '--root', tmp_path / 'coco', '--to', 'rosbag', '--out',
         tmp_path / 'bags'),
    ):
        assert main(['convert', *map(str, command)]) == 0
    clip = RosbagClip(tmp_path / 'bags' / 'b')
    assert boxes(clip) == [0, None, 2, 3, None, None]
    assert [clip.stamp_ns(k) for k in range(6)] == [0] * 6
    assert [int(np.max(clip.read(k))) for k in range(6)] == [0, 1, 2, 3, 4, 5]
