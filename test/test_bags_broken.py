"""One message that cannot be read, among good ones: named, counted, and the rest is read."""

import json

from bag_samples import FIRST_NS, image, Mcap, STEP_NS, times, TOPIC, write_db3
import cv2
import numpy as np
import pytest
from recording_samples import LABELS, one

from forecast_detector.bags import BagError, BagReader, BagWriter
from forecast_detector.bags.messages import (
    default_typestore,
    DETECTIONS,
    IMAGE,
    make_detections,
    make_header,
)
from forecast_detector.cli.main import main
from forecast_detector.data.rosbag import load_rosbag, RosbagClip
from forecast_detector.types import BadFrameError

GOOD = image(3, size=(96, 64))
BROKEN = {
    'cut': GOOD[:len(GOOD) // 2], 'empty': b'', 'a byte': b'\0', 'header only': GOOD[:4],
    'garbage': b'\xff' * 200, 'chance': np.random.default_rng(0).bytes(500),
    'too long': GOOD + b'\0' * 50, 'text': b'{"stamp": 3}', 'zeros': b'\0' * 300,
}
SIZE = (96, 64)


def truth(k):
    message = make_detections(one([k, 2, k + 30, 40], k % 2), LABELS,
                              make_header(FIRST_NS + k * STEP_NS, ''), None)
    return bytes(default_typestore().serialize_cdr(message, DETECTIONS))


def write_bag(path, broken=None, broken_truth=None, at=3):
    """Write six images with an object each; one message of either may be broken."""
    pictures = [image(k, size=SIZE) for k in range(6)]
    truths = [truth(k) for k in range(6)]
    if broken is not None:
        pictures[at] = broken
    if broken_truth is not None:
        truths[at] = broken_truth
    with Mcap(path) as file:
        cameras = file.channel(), file.channel('/cam/truth', DETECTIONS)
        for row in zip(pictures, truths, times(6)):
            for channel, data in zip(cameras, row):
                file.write(channel, data, row[2])
    return path


@pytest.mark.parametrize('kind', BROKEN)
def test_an_image_that_cannot_be_read_is_left_out_by_name(tmp_path, kind):
    clip = RosbagClip(write_bag(tmp_path / 'b.mcap', BROKEN[kind]))
    assert (len(clip), clip.broken, clip.unmatched) == (5, 1, 0)
    for k, number in enumerate((0, 1, 2, 4, 5)):
        assert clip.stamp_ns(k) == times(6)[number]
        assert clip.truth(k).boxes[0, 0] == number
    assert [int(clip.read(k)[0, 0, 0]) for k in (4, 0, 3, 2)] == [50, 0, 40, 20]
    assert NOTE in clip.lacks
    rows = [(1, t, BROKEN[kind] if k == 3 else image(k)) for k, t in enumerate(times(6))]
    assert len(RosbagClip(write_db3(tmp_path / 'b.db3', messages=rows))) == 5


def test_a_truth_that_cannot_be_read_leaves_its_image_without(tmp_path):
    clip = RosbagClip(write_bag(tmp_path / 'b.mcap', broken_truth=truth(3)[:30]))
    assert len(clip) == 6 and clip.unmatched == 1
    assert [clip.truth(k).annotated for k in range(6)] == [True] * 3 + [False] + [True] * 2
    assert NOTE.replace(TOPIC, '/cam/truth') in clip.lacks


@pytest.mark.parametrize(('track', 'number'), [
    ('9' * 18, int('9' * 18)), ('9' * 19, 0), ('9' * 5000, 0), ('-7', 0), ('\u0663', 3),
])
def test_a_track_that_no_number_holds_is_a_name(tmp_path, track, number):
    with BagWriter(tmp_path / 'b') as bag:
        bag.image('/cam/image_raw', np.zeros((24, 32, 3), np.uint8), FIRST_NS)
        bag.detections('/cam/truth', one([1, 2, 20, 20], 0), LABELS, FIRST_NS, tracks=[track])
    assert RosbagClip(tmp_path / 'b').truth(0).tracks.tolist() == [number]


def test_why_a_message_cannot_be_read_is_said_in_words(tmp_path):
    clip = RosbagClip(write_bag(tmp_path / 'b.mcap', BROKEN['too long']))
    assert 'its fields do not fit its length' in clip.lacks


def shortened():
    """Write a raw image with half of its data, as a whole message."""
    types, header = default_typestore().types, make_header(FIRST_NS + 3 * STEP_NS, '')
    message = types[IMAGE](header=header, height=64, width=96, encoding='rgb8', is_bigendian=0,
                           step=288, data=np.zeros(9000, np.uint8))
    return bytes(default_typestore().serialize_cdr(message, IMAGE))


def test_a_raw_image_with_too_few_data_is_left_out_by_name(tmp_path):
    clip = RosbagClip(write_bag(tmp_path / 'b.mcap', shortened(), at=3))
    assert (len(clip), clip.broken, clip.unmatched) == (5, 1, 0)
    assert [int(clip.read(k)[0, 0, 0]) for k in (4, 0, 3, 2)] == [50, 0, 40, 20]
    assert 'data has 9000 bytes; 96x64' in clip.lacks


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('keep', [0, 0.3, 0.95])
def test_a_compressed_image_without_its_end_is_left_out_by_name(tmp_path, suffix, keep):
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    data = cv2.imencode(suffix, picture)[1].tobytes()
    with BagWriter(tmp_path / 'b') as bag:
        for k in range(4):
            bag.compressed('/cam/compressed', data[:int(keep * len(data))] if k == 2 else
                           data + b'behind' * (k == 3), suffix[1:], times(4)[k])
    clip = RosbagClip(tmp_path / 'b')
    assert (len(clip), clip.broken) == (3, 1)
    assert [clip.read(k).shape for k in range(3)] == [(64, 96, 3)] * 3
    assert f'at {times(4)[2]} ns' in clip.lacks


def test_what_is_wrong_with_all_images_of_a_topic_is_said_when_they_are_decoded(tmp_path):
    with BagWriter(tmp_path / 'b') as bag:
        for time_ns in times(3):
            bag.compressed('/cam/compressed', b'\0\0\0\1\x67abc', 'h264', time_ns)
    clip = RosbagClip(tmp_path / 'b')
    assert (len(clip), clip.lacks) == (3, None)
    with pytest.raises(BadFrameError, match='part of a video stream'):
        clip.read(0)


def test_many_are_counted_and_all_is_an_error(tmp_path):
    with Mcap(tmp_path / 'b.mcap') as file:
        channel = file.channel()
        for k, time_ns in enumerate(times(40)):
            file.write(channel, image(k) if k % 4 == 0 else b'', time_ns)
    clip = RosbagClip(tmp_path / 'b.mcap')
    assert (len(clip), clip.broken) == (10, 30)
    assert clip.lacks.count(' ns (') == 3 and 'and 27 more' in clip.lacks
    with Mcap(tmp_path / 'c.mcap') as file:
        channel = file.channel()
        for time_ns in times(3):
            file.write(channel, b'', time_ns)
    with pytest.raises(BagError, match=f'{TOPIC}: none of its 3 messages can be read, the first'):
        RosbagClip(tmp_path / 'c.mcap')


def test_a_reader_that_is_not_asked_to_pass_over_raises(tmp_path):
    with BagReader(write_bag(tmp_path / 'b.mcap', b'')) as bag:
        with pytest.raises(BagError, match=f'{TOPIC} at {times(6)[3]} ns: not a'):
            list(bag.messages(TOPIC))
        named = []
        found = list(bag.messages(TOPIC, on_broken=lambda record, error: named.append(record)))
        assert len(found) == 5 and [record.log_ns for record in named] == [times(6)[3]]


@pytest.fixture
def path(tmp_path):
    (tmp_path / 'bags').mkdir()
    return write_bag(tmp_path / 'bags' / 'b.mcap', BROKEN['cut'], truth(1)[:20], at=3)


NOTE = f'1 of 6 messages of {TOPIC} cannot be read and is passed over: at {FIRST_NS + 3 * STEP_NS}'


def named(capsys, *options):
    """Run a command; see that it names the message, once."""
    assert main([str(option) for option in options]) == 0
    said = capsys.readouterr()
    assert said.err.count(NOTE) == 1
    return said.out


def test_detect_counts_it(weights, path, tmp_path, capsys):
    out = tmp_path / 'o.json'
    assert '5 frames: ' in (said := named(capsys, 'detect', path, '--weights', weights, '--device',
                                         'cpu', '--json', out)) and '1 frames passed over' in said
    report = json.loads(out.read_text())
    assert (len(report['frames']), report['skipped']) == (5, 1)


@pytest.mark.parametrize('options', [
    ('evaluate', '--policy', 'read'), ('evaluate', '--policy', 'oracle'),
    ('evaluate', '--policy', 'read', '--workers', '2'), ('sweep', '--baselines'), ('diagnose',),
])
def test_what_measures_measures_the_rest(weights, path, tmp_path, capsys, options):
    name, *more = options
    out = tmp_path / 'o.json'
    named(capsys, name, '--weights', weights, '--device', 'cpu', '--dataset', 'rosbag', '--root',
         path.parent, *more, '--json', out)
    found = json.loads(out.read_text())
    assert NOTE in str(found['provenance']['unfinished'])
    if name == 'evaluate':
        assert (found['frames'], found['annotated'], found['skipped']) == (5, 5, [])


def test_replay_counts_it_as_unusable(weights, path, tmp_path, capsys):
    named(capsys, 'replay', '--weights', weights, '--device', 'cpu', '--bag', path, '--out',
         tmp_path / 'r', '--loop', '2', '--with-images')
    report = json.loads((tmp_path / 'r' / 'report.json').read_text())
    topic = report['topics'][TOPIC]
    assert (topic['frames'], topic['answered'], topic['bad'], topic['dropped']) == (12, 10, 2, 0)
    with BagReader(tmp_path / 'r' / 'bag') as bag:
        assert bag.count('/cam/decision') == 10
        assert bag.count(TOPIC) == 12  # copied as they are


def test_convert_takes_the_rest(path, tmp_path, capsys):
    named(capsys, 'convert', '--from', 'rosbag', '--root', path.parent, '--to', 'coco_vid',
         '--out', tmp_path / 'coco')
    found = json.loads((tmp_path / 'coco' / 'annotations' / 'val.json').read_text())
    assert [row['stamp_ns'] for row in found['images']] == [times(6)[k] for k in (0, 1, 2, 4, 5)]
    assert [row.get('annotated', True) for row in found['images']] == [True] * 5


def test_training_data_leaves_it_out(path):
    dataset = load_rosbag(path)
    assert len(dataset) == 5 and dataset.labels == LABELS


def test_a_bag_written_by_us_may_be_damaged_as_well(tmp_path):
    with BagWriter(tmp_path / 'b', 'sqlite3') as bag:
        for k, time_ns in enumerate(times(3)):
            bag.write_raw(TOPIC, IMAGE, b'' if k == 1 else image(k), time_ns)
    assert len(RosbagClip(tmp_path / 'b')) == 2


def test_what_cameras_of_one_bag_lack_is_named_together(weights, tmp_path, capsys):
    with Mcap(tmp_path / 'b.mcap') as file:
        for number, topic in enumerate(('/left/image', '/right/image')):
            channel = file.channel(topic)
            for k, time_ns in enumerate(times(4)):
                file.write(channel, b'' if k == number else image(k, size=SIZE), time_ns)
    assert main(['replay', '--bag', str(tmp_path / 'b.mcap'), '--weights', str(weights),
                 '--device', 'cpu', '--image-topic', '/left/image', '/right/image', '--out',
                 str(tmp_path / 'r')]) == 0
    said = capsys.readouterr().err
    for topic in ('/left/image', '/right/image'):
        assert said.count(f'1 of 4 messages of {topic} cannot be read') == 1


def test_a_damaged_page_of_a_database_costs_the_message_that_it_is_of(tmp_path):
    size = (160, 120)
    rows = [(1, time_ns, image(k, size=size)) for k, time_ns in enumerate(times(6))]
    path = write_db3(tmp_path / 'b.db3', messages=rows)
    data = bytearray(path.read_bytes())
    page = -(-data.index(b'\x1e' * 3000) // 4096) * 4096  # of pixels of number 3
    data[page:page + 4096] = b'\xee' * 4096  # with the number of the next page in it
    path.write_bytes(data)
    clip = RosbagClip(path)
    assert (len(clip), clip.broken) == (5, 1)
    assert [int(clip.read(k)[0, 0, 0]) for k in (0, 1, 2, 3, 4, 1)] == [0, 10, 20, 40, 50, 10]
    assert clip.lacks.count('b.db3 is damaged (database disk image is malformed)') == 1
    assert f'at {times(6)[3]} ns' in clip.lacks


def test_a_damaged_table_of_definitions_costs_nothing(tmp_path):
    path = write_db3(tmp_path / 'b.db3', definitions=[(IMAGE, 'ros2msg', 'MARK' * 20, '')])
    data = bytearray(path.read_bytes())
    page = data.index(b'MARK') // 4096 * 4096
    data[page:page + 4096] = b'\xee' * 4096
    path.write_bytes(data)
    assert len(RosbagClip(path)) == 6


def test_a_database_that_is_cut_is_named_with_what_saves_the_rest(tmp_path):
    path = write_db3(tmp_path / 'b.db3')
    path.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(BagError, match=r"b\.db3: broken.*malformed.*'\.recover' of sqlite3"):
        RosbagClip(path)
