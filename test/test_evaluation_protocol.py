"""
The whole protocol against a second writing of it in plain loops, and what is not scored.

The reference takes one detection and one box at a time, straight from the rules in
docs/protocol.md; it shares nothing with the code under test but the input.
"""

from evaluation_samples import found, there
import numpy as np
import pytest

from forecast_detector.data.base import Truth
from forecast_detector.data.frames import PackedTruth
from forecast_detector.records.evaluation import Precision
from forecast_detector.scoring.coco import map50_95
from forecast_detector.scoring.frame_loss import frame_loss
from forecast_detector.scoring.judging import judge
from forecast_detector.scoring.matching import in_crowd, Rule
from forecast_detector.scoring.metrics import ScoredClip
from forecast_detector.training.samples import to_target

CLASSES = 3
RANGES = {'all': (0, 1), 'slow': (0.9, 1), 'medium': (0.7, 0.9), 'fast': (0, 0.7)}


def overlap(a, b, extra):
    width = min(a[2], b[2]) - max(a[0], b[0]) + extra
    height = min(a[3], b[3]) - max(a[1], b[1]) + extra
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(c[2] - c[0] + extra) * (c[3] - c[1] + extra) for c in (a, b)]
    return width * height / (sum(areas) - width * height)


def asked(box, extra):
    if not extra:
        return 0.5
    width, height = box[2] - box[0] + extra, box[3] - box[1] + extra
    return min(0.5, width * height / ((width + 10) * (height + 10)))


def speed(clip, at, row):
    """Motion IoU of one box, from the frames around it."""
    mine, values = clip.truths[at], []
    for other in range(max(0, at - 10), min(len(clip.truths), at + 11)):
        theirs = clip.truths[other]
        for box, track in zip(theirs.boxes, theirs.tracks):
            if other != at and track == mine.tracks[row]:
                values.append(overlap(mine.boxes[row].tolist(), box.tolist(), 0))
    return sum(values) / len(values) if values else 1.0


def judge_frame(detections, truth, inside, share, extra):
    """Yield (class, score, true weight, false weight) of the detections of one frame."""
    boxes, taken = truth.boxes.tolist(), set()
    for row in sorted(range(len(detections)), key=lambda i: -detections.scores[i]):
        one, label = detections.boxes[row].tolist(), int(detections.labels[row])
        shared = [overlap(one, box, extra) for box in boxes]
        fitting = [k for k, box in enumerate(boxes) if k not in taken
                   and truth.labels[k] == label and shared[k] >= asked(box, extra)]
        if fitting:
            best = max(fitting, key=lambda k: shared[k])
            taken.add(best)
            yield label, detections.scores[row], float(inside[best]), 0.0
            continue
        near = max((s for s, there_ in zip(shared, inside) if there_), default=-1)
        far = max((s for s, there_ in zip(shared, inside) if not there_), default=-1)
        if not boxes:
            false = share
        elif near == far:
            false = inside.count(False) / len(inside)
        else:
            false = float(near > far)
        yield label, detections.scores[row], 0.0, false


def reference(clips, name, extra):
    """Mean average precision of a range of speed."""
    low, high = RANGES[name]
    speeds = [[[speed(c, t, k) for k in range(len(c.truths[t]))] for t in range(len(c.truths))]
              for c in clips]
    everything = [low <= s <= high for clip in speeds for frame in clip for s in frame]
    share = sum(everything) / len(everything)
    rows, positives = [], dict.fromkeys(range(CLASSES), 0)
    for clip, of_clip in zip(clips, speeds):
        for detections, truth, of_frame in zip(clip.detections, clip.truths, of_clip):
            inside = [low <= s <= high for s in of_frame]
            for label, there_ in zip(truth.labels, inside):
                positives[int(label)] += there_
            rows += judge_frame(detections, truth, inside, share, extra)
    values = [area(sorted((r for r in rows if r[0] == label), key=lambda r: -r[1]), count)
              for label, count in positives.items() if count]
    return sum(values) / len(values) if values else None


def area(rows, count):
    """Area under the envelope: each true detection earns the best precision from it on."""
    true = false = 0.0
    points = []
    for _, _, is_true, is_false in rows:
        true, false = true + is_true, false + is_false
        points.append((is_true, true / (true + false) if true + false else 0.0))
    return sum(w * max(q for _, q in points[k:]) for k, (w, _) in enumerate(points)) / count


def random_clips(seed):
    """Objects that come, move at three paces and go; detections near them and elsewhere."""
    rng = np.random.default_rng(seed)
    clips = []
    for name in 'abc':
        tracks = [(rng.uniform(20, 90, 2), rng.normal(0, 1, 2) * rng.choice([0.1, 1, 4]),
                   rng.uniform(5, 40, 2), rng.integers(CLASSES), *sorted(rng.integers(0, 25, 2)))
                  for _ in range(4)]
        detections, truths = [], []
        for t in range(24):
            seen, boxes = [], []
            for track, (corner, pace, size, label, first, last) in enumerate(tracks):
                if first <= t < last:
                    at = corner + t * pace
                    boxes.append((*at, *(at + size), label, track))
                    for _ in range(rng.integers(3)):
                        off = at + rng.normal(0, 0.15, 2) * size
                        label_seen = label if rng.random() < 0.9 else rng.integers(CLASSES)
                        seen.append((*off, *(off + size), rng.random(), label_seen))
            for _ in range(rng.integers(3)):
                at = rng.uniform(0, 120, 2)
                seen.append((*at, *(at + 20), rng.random(), rng.integers(CLASSES)))
            detections.append(found(*seen))
            truths.append(there(*boxes))
        clips.append(ScoredClip(name, detections, truths))
    return clips


@pytest.mark.parametrize('seed', range(4))
def test_both_variants_agree_with_the_rules_written_out(seed):
    clips = random_clips(seed)
    assert any(len(truth) == 0 for clip in clips for truth in clip.truths)
    metrics = judge(clips, ['a', 'b', 'c']).metrics
    for key, extra in (('map50', 0), ('map50_tolerant', 1)):
        assert getattr(metrics, key) == pytest.approx(reference(clips, 'all', extra), abs=1e-9)
        for name in ('slow', 'medium', 'fast'):
            expected = reference(clips, name, extra)
            assert getattr(metrics.by_speed[name], key) == pytest.approx(expected, abs=1e-9), name


CROWD = Truth(
    np.array([[0, 0, 10, 10]], np.float32), np.array([0]), np.array([1]),
    crowd_boxes=np.array([[50, 50, 150, 150]], np.float32), crowd_labels=np.array([0]),
)
# The object; four in the crowd by 1, 1, 0.5 and 0.4 of their area; one there of another class.
SEEN = found(
    (0, 0, 10, 10, 0.3, 0), (60, 60, 70, 70, 0.9, 0), (60, 60, 140, 140, 0.8, 0),
    (40, 60, 60, 80, 0.7, 0), (38, 60, 58, 80, 0.6, 0), (60, 60, 70, 70, 0.5, 1),
)


def test_a_detection_in_a_crowd_counts_neither_way():
    assert in_crowd(SEEN, CROWD, Rule.PLAIN).tolist() == [False, True, True, True, False, False]
    clip = ScoredClip('a', [SEEN], [CROWD])
    # One false detection (0.4 inside) before the object: precision 1/2.
    assert judge([clip], ['a', 'b']).metrics.map50 == pytest.approx(1 / 2)
    without = ScoredClip('a', [SEEN], [there((0, 0, 10, 10, 0, 1))])
    assert judge([without], ['a', 'b']).metrics.map50 == pytest.approx(1 / 5)
    # The found object, and the two false ones.
    assert frame_loss(SEEN, CROWD) == pytest.approx((1 - 0.3) + 0.6 + 0.5, abs=1e-6)


def test_crowds_are_as_in_cocos_own_library():
    pytest.importorskip('pycocotools')
    clip = ScoredClip('a', [SEEN], [CROWD])
    # Of the ten thresholds, 0.50 leaves one false detection before the object, the others two.
    assert map50_95([clip], ['a', 'b']) == pytest.approx((1 / 2 + 9 / 3) / 10)
    only = Truth(crowd_boxes=CROWD.crowd_boxes, crowd_labels=CROWD.crowd_labels)
    assert map50_95([ScoredClip('a', [SEEN], [only])], ['a', 'b']) is None


def test_a_crowd_is_no_target_no_object_and_has_no_speed():
    assert len(CROWD) == 1
    assert to_target(CROWD).boxes.tolist() == [[0, 0, 10, 10]]
    only = Truth(crowd_boxes=CROWD.crowd_boxes, crowd_labels=CROWD.crowd_labels)
    metrics = judge([ScoredClip('a', [SEEN], [only])], ['a', 'b']).metrics
    assert (metrics.map50, metrics.by_class) == (None, {})
    assert metrics.by_speed['slow'] == Precision()


def test_empty_frames_are_scored_and_those_not_annotated_are_not():
    box = (0, 0, 10, 10)
    seen, true = found((*box, 0.9, 0)), there((*box, 0, 0))
    empty, unknown = Truth(), Truth(annotated=False)
    scored = {}
    for name, other in (('empty', empty), ('unknown', unknown)):
        strong = found((*box, 0.95, 0))
        clip = ScoredClip('a', [strong, seen], [other, true])
        scored[name] = judge([clip], ['a']).metrics.map50, clip.annotated
        pytest.importorskip('pycocotools')
        assert map50_95([clip], ['a']) == pytest.approx(scored[name][0])
    # In the empty frame the stronger detection is false.
    assert scored == {'empty': (0.5, 2), 'unknown': (1.0, 1)}
    assert frame_loss(seen, unknown) == 0.0
    assert [to_target(truth).annotated for truth in (empty, unknown)] == [True, False]


def test_packing_keeps_crowds_and_what_was_annotated():
    truths = [CROWD, Truth(), Truth(annotated=False), there((0, 0, 5, 5, 1, 2))]
    packed = PackedTruth.pack(truths)
    assert len(packed) == 4
    assert [packed[k].annotated for k in range(4)] == [True, True, False, True]
    assert packed[0].crowd_boxes.tolist() == CROWD.crowd_boxes.tolist()
    assert [len(packed[k].crowd_labels) for k in range(4)] == [1, 0, 0, 0]
    assert [len(packed[k]) for k in range(4)] == [1, 0, 0, 1]
