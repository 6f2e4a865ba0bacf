"""Replaying a bag offline: every image, every camera, the same bag and report every time."""

import gc
import json
import re
import weakref

import numpy as np
import pytest

from forecast_detector.bags import BagError, BagReader, BagWriter
from forecast_detector.bags.messages import stamp_to_ns
from forecast_detector.bags.reader import frame_from_message
from forecast_detector.cli.main import main
from forecast_detector.engine import StreamingDetector
from forecast_detector.replay import answers as offline
from forecast_detector.replay.recording import choose_truth_topics, open_recording
from forecast_detector.types import Detections

LABELS = ('cat', 'dog')
STEP_NS = 100_000_000
FIRST_NS = 5_000_000_000


def picture(seed, size=(96, 64)):
    return np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)


def objects(k):
    box = np.array([[k, 2, k + 30, 40]], np.float32)
    return Detections(box, np.ones(1, np.float32), np.array([k % 2]))


def write_bag(path, cameras=('/cam',), frames=9, storage='mcap', jpeg=None, truth=True):
    """Write cameras of noise at 10 Hz, the second half a period after the first."""
    suffix = '/compressed' if jpeg else ''
    with BagWriter(path, storage) as bag:
        for k in range(frames):
            for n, camera in enumerate(cameras):
                stamp_ns = FIRST_NS + k * STEP_NS + n * STEP_NS // 2
                bag.image(f'{camera}/image_raw{suffix}', picture(100 * n + k), stamp_ns, camera,
                          jpeg_quality=jpeg)
                if truth:
                    bag.detections(f'{camera}/truth', objects(k), LABELS, stamp_ns, camera)
    return path


def replay(bag, weights, out, *options):
    """Replay with a network of noise; return the exit status and the report."""
    steered = () if '--policy' in options else ('--p', '0.5')
    status = main(['replay', '--bag', str(bag), '--weights', str(weights), '--out', str(out),
                   *steered, *map(str, options)])
    return status, json.loads((out / 'report.json').read_text())


def answers(out, folder='/cam'):
    """Read what a replay wrote: everything but the times."""
    with BagReader(out / 'bag') as bag:
        decisions = [
            (stamp_to_ns(m.header.stamp), m.header.frame_id, m.action, m.reason, m.reason_detail,
             m.frames_since_read, stamp_to_ns(m.last_read_stamp), str(m.confidence))
            for _, m in bag.messages(f'{folder}/decision')
        ]
        found = [
            (stamp_to_ns(m.header.stamp), m.header.frame_id, [
                (d.results[0].hypothesis.class_id, d.results[0].hypothesis.score,
                 d.bbox.center.position.x, d.bbox.size_x) for d in m.detections
            ]) for _, m in bag.messages(f'{folder}/detections')
        ]
    return decisions, found


def test_every_image_is_answered_and_scored_and_twice_the_same(tiny_weights, tmp_path):
    bag = write_bag(tmp_path / 'b')
    status, report = replay(bag, tiny_weights, tmp_path / 'one')
    replay(bag, tiny_weights, tmp_path / 'two')
    assert status == 0
    assert answers(tmp_path / 'one') == answers(tmp_path / 'two')
    decisions, found = answers(tmp_path / 'one')
    assert [d[0] for d in decisions] == [FIRST_NS + k * STEP_NS for k in range(9)]
    assert [f[:2] for f in found] == [d[:2] for d in decisions]
    topic = report['topics']['/cam/image_raw']
    assert (topic['frames'], topic['answered'], topic['dropped'], topic['bad']) == (9, 9, 0, 0)
    assert topic['read_share'] == sum(d[2] == 0 for d in decisions) / 9 == report['read_share']
    assert report['map50'] is not None and topic['truth_topic'] == '/cam/truth'
    assert report['provenance']['mode'] == 'offline'


def test_a_replay_scores_as_evaluate_does(tiny_weights, tmp_path):
    bag = write_bag(tmp_path / 'b')
    _, report = replay(bag, tiny_weights, tmp_path / 'out', '--policy', 'alternate')
    main(['evaluate', '--dataset', 'rosbag', '--root', str(bag), '--weights', str(tiny_weights),
          '--policy', 'alternate', '--json', str(tmp_path / 'e.json')])
    expected = json.loads((tmp_path / 'e.json').read_text())
    for name in ('map50', 'map50_tolerant', 'map50_95', 'read_share', 'frames', 'by_class'):
        assert report[name] == expected[name], name


@pytest.mark.parametrize('options', [{'storage': 'sqlite3'}, {'jpeg': 95}])
def test_sqlite_and_compressed_images_are_read(tiny_weights, tmp_path, options):
    bag = write_bag(tmp_path / 'b', **options)
    _, report = replay(bag, tiny_weights, tmp_path / 'out', '--storage', 'sqlite3')
    assert report['frames'] == 9 and len(answers(tmp_path / 'out')[0]) == 9


def test_cameras_are_streams_of_their_own(tiny_weights, tmp_path):
    bag = write_bag(tmp_path / 'b', ('/left', '/right'))
    topics = ('/left/image_raw', '/right/image_raw')
    status, report = replay(bag, tiny_weights, tmp_path / 'both', '--image-topic', *topics)
    assert status == 0 and report['frames'] == 18 and report['clips'] == 2
    for folder in ('/left', '/right'):
        topic = f'{folder}/image_raw'
        assert report['topics'][topic]['truth_topic'] == f'{folder}/truth'
        replay(bag, tiny_weights, tmp_path / 'one', '--image-topic', topic)
        assert answers(tmp_path / 'both', folder) == answers(tmp_path / 'one', folder)


def test_a_loop_resets_with_a_reason(tiny_weights, tmp_path):
    bag = write_bag(tmp_path / 'b')
    _, report = replay(bag, tiny_weights, tmp_path / 'out', '--loop', 3)
    decisions, _ = answers(tmp_path / 'out')
    assert len(decisions) == report['frames'] == 27
    for turn in (1, 2):
        assert decisions[9 * turn][3:5] == (3, 'stamp went back 0.800 s (5.000 s after 5.800 s)')
    resets = report['topics']['/cam/image_raw']['resets']
    assert resets == {'stamp went back 0.800 s (5.000 s after 5.800 s)': 2}
    with BagReader(tmp_path / 'out/bag') as written:
        times = [time_ns for time_ns, _ in written.messages('/cam/decision')]
    assert times == sorted(set(times))


def test_weak_detections_are_scored_but_not_written(tiny_weights, tmp_path):
    bag = write_bag(tmp_path / 'b')
    reports = [replay(bag, tiny_weights, tmp_path / 'out', '--score-threshold', s)[1]
               for s in (0.9, 0.0)]
    written = answers(tmp_path / 'out')[1]
    assert any(score < 0.9 for _, _, found in written for _, score, _, _ in found)
    assert reports[0]['map50'] == pytest.approx(reports[1]['map50'])
    replay(bag, tiny_weights, tmp_path / 'out', '--score-threshold', 0.9)
    written = answers(tmp_path / 'out')[1]
    assert all(score >= 0.9 for _, _, found in written for _, score, _, _ in found)


def test_images_and_truth_are_copied_if_asked_for(tiny_weights, tmp_path):
    bag = write_bag(tmp_path / 'b')
    replay(bag, tiny_weights, tmp_path / 'out', '--with-images', '--loop', 2)
    with BagReader(tmp_path / 'out/bag') as written, BagReader(bag) as source:
        images = [record.data for record in source.records(['/cam/image_raw'])]
        assert [r.data for r in written.records(['/cam/image_raw'])] == images * 2
        assert written.count('/cam/truth') == written.count('/cam/decision') == 18
        assert written.count('/label_info') == 1


def test_without_truth_there_is_no_precision(tiny_weights, tmp_path, capsys):
    bag = write_bag(tmp_path / 'b', truth=False)
    _, report = replay(bag, tiny_weights, tmp_path / 'out')
    assert (report['map50'], report['map50_95'], report['frames']) == (None, None, 9)
    assert report['topics']['/cam/image_raw']['truth_topic'] is None
    assert 'no precision' in capsys.readouterr().out


def test_an_unusable_image_is_counted_and_costs_nothing_else(tiny_weights, tmp_path, capsys):
    with BagWriter(tmp_path / 'b') as bag:
        for k in range(4):
            data = b'no jpeg' if k == 1 else None
            stamp_ns = FIRST_NS + k * STEP_NS
            if data:
                bag.compressed('/cam/image_raw/compressed', data, 'jpeg', stamp_ns)
            else:
                bag.image('/cam/image_raw/compressed', picture(k), stamp_ns, jpeg_quality=90)
    options = ('--policy', 'read')
    _, report = replay(tmp_path / 'b', tiny_weights, tmp_path / 'out', *options)
    topic = report['topics']['/cam/image_raw/compressed']
    assert (topic['frames'], topic['answered'], topic['bad'], topic['dropped']) == (4, 3, 1, 0)
    assert topic['unanswered_stamps_ns'] == [FIRST_NS + STEP_NS]
    assert 'image 1: compressed image' in capsys.readouterr().err
    assert [d[0] for d in answers(tmp_path / 'out')[0]] == [
        FIRST_NS + k * STEP_NS for k in (0, 2, 3)]


def test_truth_is_found_beside_its_camera_or_named(tmp_path):
    topics = ['/left/image_raw', '/right/image_raw']
    with BagReader(write_bag(tmp_path / 'b', ('/left', '/right'))) as bag:
        both = {topics[0]: '/left/truth', topics[1]: '/right/truth'}
        assert choose_truth_topics(bag, topics) == both
        assert choose_truth_topics(bag, topics[1:]) == {topics[1]: '/right/truth'}
        assert choose_truth_topics(bag, topics, ['/right/truth']) == {
            topics[0]: '', topics[1]: '/right/truth'}
        swapped = choose_truth_topics(bag, topics, ['/right/truth', '/left/truth'])
        assert swapped == {topics[0]: '/right/truth', topics[1]: '/left/truth'}
        with pytest.raises(BagError, match='no truth topic /truth'):
            choose_truth_topics(bag, topics, ['/truth'])


def test_a_truth_beside_another_camera_is_doubted(tmp_path):
    with BagWriter(tmp_path / 'b') as bag:
        for name in ('/left', '/right'):
            bag.image(f'{name}/image_raw', picture(0), 0)
            bag.detections(f'{name}/truth', objects(0), LABELS, 0)
    topics = ['/left/image_raw', '/right/image_raw']
    assert open_recording(tmp_path / 'b', LABELS, topics).doubts == ()
    crossed = open_recording(tmp_path / 'b', LABELS, topics[:1], ['/right/truth'])
    assert crossed.doubts == (
        '/right/truth is taken for the truth of /left/image_raw, and lies beside '
        '/right/image_raw; was another meant?',)


def test_truth_that_could_be_anybodys_is_refused(tmp_path):
    with BagWriter(tmp_path / 'b') as bag:
        for name in ('/left', '/right'):
            bag.image(f'{name}/image_raw', picture(0), 0)
        bag.detections('/truth', objects(0), LABELS, 0)
    with BagReader(tmp_path / 'b') as bag:
        with pytest.raises(BagError, match=r"which camera of \['/left.*\['/truth'\] is the truth"):
            choose_truth_topics(bag, ['/left/image_raw', '/right/image_raw'])
        assert choose_truth_topics(bag, ['/left/image_raw']) == {'/left/image_raw': '/truth'}
    with pytest.raises(BagError, match='several image topics'):
        open_recording(tmp_path / 'b', LABELS)


def test_truth_of_foreign_classes_is_refused_but_may_be_passed_over(
    tiny_weights, tmp_path, capsys
):
    with BagWriter(tmp_path / 'b') as bag:
        bag.image('/cam/image_raw', picture(0), FIRST_NS)
        bag.detections('/cam/truth', objects(0), ('cow', 'dog'), FIRST_NS)
    command = ['replay', '--bag', str(tmp_path / 'b'), '--weights', str(tiny_weights),
               '--out', str(tmp_path / 'out')]
    assert main(command) == 1
    assert re.search(r"\['cow'\] are foreign.*--no-truth$", capsys.readouterr().err.strip())
    assert replay(tmp_path / 'b', tiny_weights, tmp_path / 'out', '--no-truth')[0] == 0


def test_mistakes_are_one_line(tiny_weights, tmp_path, capsys):
    bag = write_bag(tmp_path / 'b')
    arguments = ['replay', '--bag', str(bag), '--weights', str(tiny_weights)]
    for options, text, expected in (
        (['--lossless'], 'is for --live', 2),
        (['--live', '--rate', '0'], '--rate: 0 is not above 0', 2),
        (['--image-topic', '/a', '/b', '/a'], 'is named twice', 2),
        (['--read-every', '3'], '--read-every: policy auto takes none', 2),
        (['--policy', 'read', '--p', '0'], '--p: policy read takes none', 2),
        (['--image-topic', '/front'], 'no topic /front; the bag has', 1),
        (['--out', str(bag)], 'would write over', 2),
        (['--no-truth', '--truth-topic', '/cam/truth'], 'with --no-truth', 2),
    ):
        assert main([*arguments, *options]) == expected
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith('forecast-detector: error: ') and text in error


def test_at_most_two_images_are_held(tiny_checkpoint, tmp_path, monkeypatch):
    recording = open_recording(write_bag(tmp_path / 'b', frames=8), LABELS)
    held, most = [], 0

    def wrap(message, *rest):
        held.append(weakref.ref(message))
        return frame_from_message(message, *rest)

    monkeypatch.setattr(offline, 'frame_from_message', wrap)
    for _ in offline.answer_offline(recording, StreamingDetector(tiny_checkpoint)):
        gc.collect()
        most = max(most, sum(message() is not None for message in held))
    assert len(held) == 8 and 1 <= most <= 2
