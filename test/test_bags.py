"""Bags: what is written is read back, by name, stamp and track; damage is named."""

import pickle
import re
import resource

import numpy as np
import pytest
from recording_samples import flat, LABELS, one, ROOT, STEP_NS, write_bag
from rosbags.highlevel import AnyReader
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

from forecast_detector.bags import BagError, BagReader, BagWriter
from forecast_detector.bags.messages import (
    DECISION,
    default_typestore,
    DETECTIONS,
    IMAGE,
    make_header,
    parse_detection,
)
from forecast_detector.data.rosbag import find_bags, load_rosbag, RosbagClip
from forecast_detector.data.rosbag_truth import match_stamps
from forecast_detector.types import Action, BadFrameError, Decision, Detections, Reason


def test_type_hashes_are_the_published_ones():
    store = default_typestore()
    assert store.hash_rihs01(DETECTIONS) == (
        'RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968')
    for line in (ROOT / 'underlay/vision_msgs/type_hashes.txt').read_text().splitlines():
        name, _, digest = line.partition(' ')
        assert store.hash_rihs01(f'vision_msgs/msg/{name}') == digest.strip()


def test_the_decision_type_is_that_of_the_msg_file():
    from_file = get_typestore(Stores.ROS2_JAZZY)
    text = (ROOT / 'msg/ForecastDecision.msg').read_text()
    from_file.register(get_types_from_msg(text, DECISION))
    assert default_typestore().hash_rihs01(DECISION) == from_file.hash_rihs01(DECISION)
    ours = dict(re.findall(r'^uint8 (\w+)=(\d)$', text, re.M))
    assert ours == {e.name: str(int(e)) for e in (*Action, *Reason)}


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_images_come_back_with_stamp_and_frame(tmp_path, storage):
    write_bag(tmp_path / 'b', storage)
    with BagReader(tmp_path / 'b') as bag:
        assert bag.image_topic() == '/cam/image_raw'
        assert bag.count('/cam/image_raw') == 6
        frames = list(bag.frames('/cam/image_raw'))
    assert [f.stamp_ns for f in frames] == [5_000_000_000 + k * STEP_NS for k in range(6)]
    assert {(f.frame_id, f.size, f.encoding) for f in frames} == {('lens', (32, 24), 'rgb8')}
    assert all((f.load() == 10 * k).all() for k, f in enumerate(frames))


def test_everything_written_is_read_by_the_definitions_in_the_bag_alone(tmp_path):
    decision = Decision(Action.FORECAST, Reason.SCHEDULER, 0.5, 'detail', 0.75, 3, 1_500_000_000,
                        2.5)
    with BagWriter(tmp_path / 'b') as bag:
        bag.decision('/cam/decision', decision, 2_000_000_001, 'lens')
        bag.detections('/cam/detections', one([1, 2, 4, 8], 1, 0.5), LABELS, 2_000_000_001, 'lens')
        bag.detections('/cam/detections', Detections(), LABELS, 2_000_000_002, 'lens')
        bag.label_info('/cam/label_info', LABELS, 0.25, 0)
    with AnyReader([tmp_path / 'b']) as bag:
        read = [bag.deserialize(data, c.msgtype) for c, _, data in bag.messages()]
    info, chosen, found, nothing = read
    assert (chosen.header.stamp.sec, chosen.header.stamp.nanosec) == (2, 1)
    assert (chosen.action, chosen.FORECAST, chosen.reason) == (1, 1, 1)
    assert (chosen.confidence, chosen.threshold, chosen.frames_since_read) == (0.75, 0.5, 3)
    assert (chosen.last_read_stamp.sec, chosen.last_read_stamp.nanosec) == (1, 500_000_000)
    assert (chosen.reason_detail, chosen.inference_ms) == ('detail', 2.5)
    centre = found.detections[0].bbox.center.position
    assert (centre.x, centre.y, found.detections[0].bbox.size_y) == (2.5, 5.0, 6.0)
    assert parse_detection(found.detections[0]) == ((1, 2, 4, 8), 'nut', 0.5, '')
    assert found.header.frame_id == 'lens' and len(nothing.detections) == 0
    assert [(c.class_id, c.class_name) for c in info.class_map] == [(0, 'bolt'), (1, 'nut')]


def test_memory_does_not_grow_with_the_bag(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)

    def peak_mib():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def pass_through(name, frames):
        with BagWriter(tmp_path / name) as bag:
            for k in range(frames):
                bag.image('/a', image, k)
        with BagReader(tmp_path / name) as bag:
            assert sum(1 for _ in bag.frames('/a')) == frames

    pass_through('short', 10)
    before = peak_mib()
    pass_through('long', 100)  # 92 MB of images
    assert peak_mib() - before < 25


def test_broken_and_foreign_files_are_named(tmp_path):
    with pytest.raises(BagError, match='gone: no such bag'):
        BagReader(tmp_path / 'gone')
    (tmp_path / 'folder').mkdir()
    with pytest.raises(BagError, match='folder: an empty folder, no bag; remove it'):
        BagReader(tmp_path / 'folder')
    (tmp_path / 'folder' / 'notes.txt').write_text('hello')
    with pytest.raises(BagError, match='folder: not a bag.*metadata.yaml'):
        BagReader(tmp_path / 'folder')
    (tmp_path / 'link').symlink_to(tmp_path / 'unmounted')
    with pytest.raises(BagError, match='link: a link to .*unmounted, which is not there'):
        BagReader(tmp_path / 'link')
    (tmp_path / 'text.mcap').write_text('hello')
    with pytest.raises(BagError, match=r'text\.mcap: broken'):
        BagReader(tmp_path / 'text.mcap')
    with pytest.raises(FileNotFoundError, match='no bag there'):
        find_bags(tmp_path / 'folder')


@pytest.mark.parametrize('storage, file', [('mcap', 'b.mcap'), ('sqlite3', 'b.db3')])
def test_a_truncated_bag_is_named(tmp_path, storage, file):
    write_bag(tmp_path / 'b', storage, frames=25)
    data = (tmp_path / 'b' / file).read_bytes()
    (tmp_path / 'b' / file).write_bytes(data[:len(data) // 2])
    with pytest.raises(BagError, match=f'{tmp_path}/b: broken, truncated'):
        with BagReader(tmp_path / 'b') as bag:
            list(bag.frames('/cam/image_raw'))


def test_missing_and_wrong_topics_list_what_is_there(tmp_path):
    write_bag(tmp_path / 'b')
    with BagReader(tmp_path / 'b') as bag:
        with pytest.raises(BagError, match=r'no topic /front; the bag has /cam/image_raw \('):
            bag.image_topic('/front')
        with pytest.raises(BagError, match='an image topic is expected'):
            bag.image_topic('/cam/truth')
    with pytest.raises(RuntimeError, match='closed'):
        bag.count('/cam/truth')
    with pytest.raises(BagError, match='no truth topic /labels'):
        RosbagClip(tmp_path / 'b', truth_topic='/labels')


def test_several_cameras_must_be_named_but_raw_and_compressed_are_one(tmp_path):
    with BagWriter(tmp_path / 'b') as bag:
        bag.image('/cam/image_raw', flat(1), 0)
        bag.image('/cam/image_raw/compressed', flat(1), 0, jpeg_quality=90)
    with BagReader(tmp_path / 'b') as bag:
        assert bag.image_topic() == '/cam/image_raw'
    with BagWriter(tmp_path / 'c') as bag:
        bag.image('/left/image_raw', flat(1), 0)
        bag.image('/right/image_raw', flat(1), 0)
    with BagReader(tmp_path / 'c') as bag:
        with pytest.raises(BagError, match=r"several image topics, \['/left/image_raw'"):
            bag.image_topic()


def test_a_bag_is_not_written_over_another(tmp_path):
    write_bag(tmp_path / 'b')
    with pytest.raises(FileExistsError, match='remove it'):
        BagWriter(tmp_path / 'b')
    with pytest.raises(ValueError, match="'zip' is none of"):
        BagWriter(tmp_path / 'c', 'zip')
    with BagWriter(tmp_path / 'd') as bag:
        bag.image('/a', flat(0), 0)
        with pytest.raises(ValueError, match='/a carries sensor_msgs/msg/Image'):
            bag.detections('/a', Detections(), LABELS, 0)


@pytest.mark.parametrize('storage, jpeg', [('mcap', None), ('mcap', 95), ('sqlite3', None)])
def test_a_clip_reads_any_image_and_its_truth(tmp_path, storage, jpeg):
    dataset = load_rosbag(write_bag(tmp_path / 'b', storage, jpeg=jpeg))
    clip = pickle.loads(pickle.dumps(dataset.clips[0]))
    assert dataset.labels == LABELS and len(clip) == 6
    for k in (0, 1, 4, 2, 2, 5):
        assert abs(int(clip.read(k)[0, 0, 0]) - 10 * k) <= 2
        truth = clip.truth(k)
        assert truth.boxes.tolist() == [[k, 2, k + 10, 12]]
        assert (truth.labels.tolist(), truth.tracks.tolist()) == ([k % 2], [7])
    assert clip.stamp_ns(2) == 5_200_000_000
    assert (clip.fps, clip.unmatched, clip.truth_topic) == (10.0, 0, '/cam/truth')
    frame = clip.frame(3)
    assert (frame.frame_id, frame.stamp_ns) == ('lens', 5_300_000_000)
    with pytest.raises(BadFrameError, match='image 6 asked for; there are 6'):
        clip.read(6)


def test_images_recorded_at_one_time_are_named_apart(tmp_path):
    with BagWriter(tmp_path / 'b') as bag:
        for k in range(5):
            bag.image('/a', flat(k), k, log_ns=1_000)
    clip = RosbagClip(tmp_path / 'b')
    assert [int(clip.read(k)[0, 0, 0]) for k in (3, 1, 4, 0)] == [3, 1, 4, 0]


def test_labels_of_the_weights_and_foreign_classes(tmp_path):
    bag = write_bag(tmp_path / 'b')
    clip = load_rosbag(bag, labels=('nut', 'wire', 'bolt')).clips[0]
    assert [clip.truth(k).labels.tolist() for k in (0, 1)] == [[2], [0]]
    with pytest.raises(ValueError, match=r"\['bolt'\] are foreign"):
        load_rosbag(bag, labels=('nut',))


def test_images_without_truth_are_counted_and_truth_without_images_refused(tmp_path):
    with BagWriter(tmp_path / 'b') as bag:
        for k in range(3):
            bag.image('/cam', flat(k), k)
        bag.detections('/truth', one([1, 1, 5, 5], 0), LABELS, 1)
    clip = RosbagClip(tmp_path / 'b')
    assert clip.unmatched == 2
    assert [len(clip.truth(k)) for k in range(3)] == [0, 1, 0]
    assert [clip.truth(k).annotated for k in range(3)] == [False, True, False]
    with pytest.raises(BagError, match='/cam/truth: no message has the stamp of an image, give'):
        RosbagClip(write_bag(tmp_path / 'c', shift_ns=6_000_000))
    bare = RosbagClip(write_bag(tmp_path / 'd', truth=None))
    assert (bare.truth_topic, bare.unmatched, bare.truth(0).annotated) == (None, 6, False)


def test_a_truth_a_little_late_is_still_its_images(tmp_path):
    path = write_bag(tmp_path / 'b', shift_ns=4_000_000)
    clip = RosbagClip(path)
    assert (clip.unmatched, clip.truth(3).boxes[0, 0]) == (0, 3)
    with pytest.raises(BagError, match='give or take 3 ms'):
        RosbagClip(path, tolerance_ns=3_000_000)


@pytest.mark.parametrize(('images', 'truths', 'expected'), [
    ([0, 10, 20], [0, 10, 20], [0, 10, 20]),
    # An equal stamp goes before a near one, and serves every image that has it.
    ([0, 10, 10], [9, 10], [None, 10, 10]),
    # Each is the other's nearest, or they do not belong together; 4 is the limit.
    ([0, 10, 20], [3, 13], [3, 13, None]),
    ([10, 12], [11], [11, None]),
    ([0, 10], [5], [None, None]),
    ([0, 10], [2, 3], [2, None]),
    ([20, 0], [21, 1], [21, 1]),
    ([5], [], [None]),
    ([], [5], []),
])
def test_stamps_are_matched_to_the_nearest_within_the_tolerance(images, truths, expected):
    assert match_stamps(images, truths, 4) == expected


def test_a_detectors_own_output_is_not_taken_for_truth(tmp_path):
    decision = Decision(Action.READ, Reason.FIRST_FRAME, 0.5)
    with BagWriter(tmp_path / 'b') as bag:
        bag.image('/cam/image_raw', flat(0), 0)
        bag.detections('/cam/detections', one([1, 1, 5, 5], 0), LABELS, 0)
        bag.decision('/cam/decision', decision, 0)
    assert RosbagClip(tmp_path / 'b').truth_topic is None
    with BagWriter(tmp_path / 'c') as bag:
        bag.image('/cam/image_raw', flat(0), 0)
        bag.detections('/people', one([1, 1, 5, 5], 0), LABELS, 0)
        bag.detections('/cars', one([1, 1, 5, 5], 0), LABELS, 0)
    with pytest.raises(BagError, match=r"several topics could be the truth, \['/cars', '/people"):
        RosbagClip(tmp_path / 'c')


def test_a_folder_of_bags_shares_labels_and_numbers_images_on(tmp_path):
    write_bag(tmp_path / 'one', frames=1)
    write_bag(tmp_path / 'two', frames=3)
    dataset = load_rosbag(tmp_path)
    assert dataset.labels == LABELS and len(dataset) == 4
    assert dataset.clips[0].labels == LABELS
    assert [clip.image_id(2) for clip in dataset.clips] == [2, 10_000_002]
    assert [path.name for path in find_bags(tmp_path)] == ['one', 'two']


def test_a_bag_that_cannot_be_used_is_named_of_and_leaves_the_others_their_numbers(tmp_path):
    write_bag(tmp_path / 'a')
    (tmp_path / 'b.mcap').write_bytes(b'no bag')
    write_bag(tmp_path / 'c')
    with pytest.raises(BagError, match='b.mcap'):
        load_rosbag(tmp_path)
    named = []
    dataset = load_rosbag(tmp_path, on_bad=lambda path, error: named.append((path.name, error)))
    assert [clip.path.name for clip in dataset.clips] == ['a', 'c']
    assert [clip.image_id(0) for clip in dataset.clips] == [0, 20_000_000]
    assert named[0][0] == 'b.mcap' and isinstance(named[0][1], BagError)
    with pytest.raises(BagError, match='none of its 1 bags'):
        load_rosbag(tmp_path / 'b.mcap', on_bad=lambda path, error: None)


def test_bags_with_classes_of_their_own_share_one_list(tmp_path):
    for name, label in (('a', 0), ('b', 1)):
        with BagWriter(tmp_path / name) as bag:
            bag.image('/cam', flat(0), 0)
            bag.detections('/truth', one([1, 1, 5, 5], label), ('zebra', 'ant'), 0)
    dataset = load_rosbag(tmp_path)
    assert dataset.labels == ('ant', 'zebra')
    assert [int(clip.truth(0).labels[0]) for clip in dataset.clips] == [1, 0]


def test_a_bad_image_among_good_ones_names_bag_topic_and_image(tmp_path):
    image = default_typestore().types[IMAGE]
    with BagWriter(tmp_path / 'b') as bag:
        for k, step in enumerate((6, 5, 6)):
            message = image(make_header(k, ''), 2, 2, 'rgb8', 0, step, np.full(12, k, np.uint8))
            bag.write('/cam', IMAGE, message, k)
    with BagReader(tmp_path / 'b') as bag:
        frames = list(bag.frames('/cam'))
    assert frames[0].load().max() == 0 and frames[2].load().max() == 2
    with pytest.raises(BadFrameError, match='b /cam image 1: step is 5 bytes.*at least 6'):
        frames[1].load()


def test_an_empty_topic_is_named(tmp_path):
    with BagWriter(tmp_path / 'b') as bag:
        bag.detections('/truth', Detections(), LABELS, 0)
    with pytest.raises(BagError, match='no image topic; the bag has /truth'):
        RosbagClip(tmp_path / 'b')
    with BagWriter(tmp_path / 'empty'):
        pass
    with pytest.raises(BagError, match='no topics at all'):
        RosbagClip(tmp_path / 'empty')
