"""Recordings with other things than a camera's messages, or with less of an index, are read."""

from bag_checks import check, values
from bag_samples import (
    definition,
    FIRST_NS,
    image,
    Mcap,
    NO_MESSAGE_INDEX,
    STEP_NS,
    times,
    TOPIC,
    write_db3,
    write_mcap,
)
from mcap.writer import CompressionType, IndexType, Writer
import numpy as np
import pytest

from forecast_detector.bags import BagError, BagReader, mcap_file, merging
from forecast_detector.bags.mcap_index import read_summary, walk
from forecast_detector.bags.messages import (
    COMPRESSED_IMAGE,
    default_typestore,
    IMAGE,
    make_header,
)
from forecast_detector.data.rosbag import RosbagClip

IDL = """================================================================================
IDL: sensor_msgs/msg/Image
module sensor_msgs { module msg { struct Other { int32 x; }; }; };
"""
FOREIGN = [
    ('/pb', 'foxglove.CompressedImage', 'protobuf', 'protobuf', b'\x0a\xff\x00'),
    ('/json', 'Pose', 'json', 'jsonschema', '{}'),
    ('/ros1', 'sensor_msgs/Image', 'ros1', 'ros1msg', 'uint32 height'),
    ('/service', 'example/srv/Add_Event', 'cdr', 'ros2msg', 'int64 a\n---\nint64 sum'),
    ('/action', 'example/action/Do_Goal', 'cdr', 'ros2msg', 'int8 a\n---\n---\nint8 b'),
    ('/idl', 'example/msg/Idl', 'cdr', 'ros2idl', 'module { @@@'),
    ('/unknown', 'example/msg/What', 'cdr', 'unknown', b'\xff\xfe'),
    ('/empty', 'example/msg/None', 'cdr', '', ''),
]


def stretches(path):
    """Say where the chunks of an MCAP are, by its summary where it has one."""
    size = path.stat().st_size
    with path.open('rb') as file:
        return (read_summary(file, size) or walk(file, size)[0]).stretches


@pytest.mark.parametrize('row', FOREIGN, ids=lambda row: row[0])
@pytest.mark.parametrize('cut', [0, 20])
def test_a_camera_beside_something_foreign_is_read_whole_or_cut(tmp_path, row, cut):
    topic, msgtype, encoding, schema, text = row
    path = tmp_path / 'b.mcap'
    with Mcap(path) as file:
        other = file.channel(topic, msgtype, encoding, schema, text)
        file.write(other, b'{"x": 1}', FIRST_NS)
        file.images(file.channel())
    data = path.read_bytes()
    path.write_bytes(data[:len(data) - cut])
    assert (check(path).lacks is None) == (cut == 0)


@pytest.mark.parametrize('profile', ['', 'ros1', 'mine'])
def test_the_profile_does_not_matter(tmp_path, profile):
    check(write_mcap(tmp_path / 'b.mcap', profile=profile))


@pytest.mark.parametrize(('schema', 'text'), [
    ('ros2msg', ''), ('', ''), ('unknown', 'what'), ('ros2msg', 'uint8 other'),
    ('ros2msg', 'uint8 ---'), ('ros2idl', IDL), ('ros2idl', 'module {'), ('omgidl', b'\xff'),
])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_images_are_read_whatever_the_bag_says_of_their_definition(
    tmp_path, storage, schema, text
):
    if storage == 'sqlite3':
        text = text if isinstance(text, str) else text.decode('latin-1')
        check(write_db3(tmp_path / 'b.db3', definitions=[(IMAGE, schema, text, 'RIHS01_0')]))
        return
    with Mcap(tmp_path / 'b.mcap') as file:
        file.images(file.channel(schema=schema, text=text, metadata={'topic_type_hash': 'x'}))
    check(tmp_path / 'b.mcap')


INDEXES = [
    NO_MESSAGE_INDEX,
    {'index_types': IndexType.NONE},
    {'index_types': IndexType.MESSAGE},
    {'use_statistics': False},
    {'use_summary_offsets': False},
    {'repeat_channels': False},
    {'repeat_schemas': False},
    {'repeat_channels': False, 'repeat_schemas': False, 'use_statistics': False,
     'index_types': IndexType.NONE},
    {'use_chunking': False},
    {'use_chunking': False, 'use_statistics': False, 'repeat_channels': False},
]


@pytest.mark.parametrize('options', INDEXES, ids=str)
def test_every_part_of_an_index_may_be_left_out(tmp_path, options):
    clip = check(write_mcap(tmp_path / 'b.mcap', **options))
    assert clip.lacks is None
    with BagReader(tmp_path / 'b.mcap') as bag:
        assert bag.count(TOPIC) == 6
        assert bag.span_ns() == (FIRST_NS, FIRST_NS + 5 * STEP_NS + 1)


def test_a_complete_index_is_used_and_no_chunk_is_opened_for_it(tmp_path, monkeypatch):
    write_mcap(tmp_path / 'b.mcap')
    monkeypatch.setattr(mcap_file, 'walk', None)
    check(tmp_path / 'b.mcap')


def test_a_summary_that_is_damaged_is_not_needed(tmp_path):
    path = write_mcap(tmp_path / 'b.mcap')
    data = bytearray(path.read_bytes())
    data[-28:-20] = (len(data) // 3).to_bytes(8, 'little')  # the footer: where the summary is
    path.write_bytes(data)
    check(path)


def test_several_channels_of_a_topic_are_one(tmp_path):
    with Mcap(tmp_path / 'b.mcap') as file:
        channels = [file.channel(), file.channel(text=''), file.channel(schema='x', text='y')]
        for k, time_ns in enumerate(times(6)):
            file.write(channels[k % 3], image(k), time_ns)
    check(tmp_path / 'b.mcap')
    write_db3(tmp_path / 'b.db3', topics=[(TOPIC, IMAGE, 'cdr')] * 2,
              messages=[(1 + k % 2, time_ns, image(k)) for k, time_ns in enumerate(times(6))])
    check(tmp_path / 'b.db3')


def test_a_topic_that_changes_its_type_is_read_as_images_and_says_so(tmp_path):
    with Mcap(tmp_path / 'b.mcap') as file:
        file.write(file.channel(msgtype='std_msgs/msg/Header'), b'\0\1\0\0', FIRST_NS)
        file.write(file.channel(encoding='json', text=''), b'{}', FIRST_NS)
        file.images(file.channel())
    assert 'is read as sensor_msgs/msg/Image; its messages of std_msgs/msg/Header are not' in (
        check(tmp_path / 'b.mcap').lacks)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_topic_has_the_type_of_its_messages_not_of_a_channel_without_any(tmp_path, storage):
    data = default_typestore().types[COMPRESSED_IMAGE](
        header=make_header(FIRST_NS, ''), format='png', data=np.zeros(3, np.uint8))
    rows = [(time_ns, bytes(default_typestore().serialize_cdr(data, COMPRESSED_IMAGE)))
            for time_ns in times(3)]
    path = tmp_path / 'b'
    if storage == 'mcap':
        with Mcap(path) as file:
            file.channel()
            channel = file.channel(msgtype=COMPRESSED_IMAGE)
            for time_ns, message in rows:
                file.write(channel, message, time_ns)
    else:
        write_db3(path, topics=[(TOPIC, IMAGE, 'cdr'), (TOPIC, COMPRESSED_IMAGE, 'cdr')],
                  messages=[(2, *row) for row in rows])
    clip = RosbagClip(path)
    assert (len(clip), clip.lacks) == (3, None)
    with BagReader(path) as bag:
        assert bag.topics[TOPIC] == COMPRESSED_IMAGE


def test_parts_whose_channels_differ_are_one_bag(tmp_path):
    (tmp_path / 'run').mkdir()
    for part in range(3):
        with Mcap(tmp_path / 'run' / f'run_{part}.mcap') as file:
            for other in range(part):
                file.channel(f'/other{other}', 'Pose', 'json', 'jsonschema', '{}')
            file.images(file.channel(text='' if part else None), 2, 2 * part)
    check(tmp_path / 'run')


def test_chunks_that_overlap_come_by_time_of_recording(tmp_path, monkeypatch):
    with Mcap(tmp_path / 'b.mcap', chunk_size=5000) as file:
        channel = file.channel()
        for k in (0, 3, 1, 2, 5, 4):
            file.write(channel, image(k), times(6)[k])
    check(tmp_path / 'b.mcap')
    monkeypatch.setattr(merging, 'HELD_BYTES', 1)  # nothing may be kept: it is read again
    check(tmp_path / 'b.mcap')


def test_a_damaged_chunk_of_a_finished_file_costs_its_own_messages(tmp_path):
    path = tmp_path / 'b.mcap'
    write_mcap(path)
    data = bytearray(path.read_bytes())
    second = stretches(path)[1]
    data[second.start + 60:second.start + 70] = b'\xff' * 10  # the length of its first record
    path.write_bytes(data)
    clip = RosbagClip(path)
    assert values(clip) == [0, 20, 30, 40, 50] and 'is damaged' in clip.lacks


@pytest.mark.parametrize('version', [1, 2, 3, 4])
def test_every_version_of_the_tables_is_read(tmp_path, version):
    clip = check(write_db3(tmp_path / 'b?#%.db3', version))
    assert clip.lacks is None
    with BagReader(tmp_path / 'b?#%.db3') as bag:
        assert bag.count(TOPIC) == 6
        assert bag.span_ns() == (FIRST_NS, FIRST_NS + 5 * STEP_NS + 1)


@pytest.mark.parametrize('row', FOREIGN, ids=lambda row: row[0])
def test_foreign_rows_of_an_sqlite_bag_cost_nothing(tmp_path, row):
    topic, msgtype, encoding, schema, text = row
    text = text if isinstance(text, str) else text.decode('latin-1')
    check(write_db3(
        tmp_path / 'b.db3', topics=[(topic, msgtype, encoding), (TOPIC, IMAGE, 'cdr')],
        messages=[(1, FIRST_NS, b'x'), *((2, t, image(k)) for k, t in enumerate(times(6)))],
        definitions=[(msgtype, schema, text, ''), (IMAGE, 'ros2msg', definition(IMAGE), 'RIHS')],
    ))


def test_a_topic_without_messages_does_not_make_the_camera_unclear(tmp_path):
    check(write_db3(tmp_path / 'b.db3', topics=[(TOPIC, IMAGE, 'cdr'), ('/old', IMAGE, 'cdr')]))


@pytest.mark.parametrize(('row', 'expected'), [
    (FOREIGN[0], 'Foxglove schemas are not read'),
    (('/v', 'foxglove.CompressedVideo', 'protobuf', 'protobuf', ''), 'is a video stream'),
    (FOREIGN[1], r'not ROS 2 \(encoded as json\)'),
    (FOREIGN[2], 'are of ROS 1: convert the ROS 1 bag'),
    (FOREIGN[3], 'no image topic; the bag has /service'),
    (('/cam', IMAGE, '', 'ros2msg', ''), 'without an encoding of their messages, are not read'),
])
def test_a_file_without_ros_2_images_says_what_it_has_and_the_way_out(tmp_path, row, expected):
    topic, msgtype, encoding, schema, text = row
    with Mcap(tmp_path / 'b.mcap', '') as file:
        file.write(file.channel(topic, msgtype, encoding, schema, text), b'x', FIRST_NS)
    with pytest.raises(BagError, match=expected) as caught:
        RosbagClip(tmp_path / 'b.mcap')
    assert f'{topic} ({msgtype}' in str(caught.value) and '\n' not in str(caught.value)


def test_a_channel_without_a_schema_is_named_for_that(tmp_path):
    with Mcap(tmp_path / 'b.mcap') as file:
        file.write(file.writer.register_channel(TOPIC, 'cdr', 0), image(0), FIRST_NS)
    with pytest.raises(BagError, match=r'\(no type, cdr\); topics without a type') as caught:
        RosbagClip(tmp_path / 'b.mcap')
    assert 'not ROS 2' not in str(caught.value)


def test_other_databases_are_no_bags(tmp_path):
    import sqlite3
    with sqlite3.connect(tmp_path / 'b.db3') as file:
        file.execute('CREATE TABLE people(name TEXT)')
    file.close()
    with pytest.raises(BagError, match='without the tables topics and messages'):
        BagReader(tmp_path / 'b.db3')


def test_types_are_read_that_name_no_middle(tmp_path):
    with Mcap(tmp_path / 'b.mcap') as file:
        file.images(file.channel(msgtype='sensor_msgs/Image', text=definition(IMAGE)))
    with BagReader(check(tmp_path / 'b.mcap').path) as bag:
        assert bag.of_type(IMAGE, COMPRESSED_IMAGE) == [TOPIC]


def test_a_wrong_checksum_is_named_and_what_is_whole_is_read(tmp_path):
    path = write_mcap(tmp_path / 'b.mcap')
    data = bytearray(path.read_bytes())
    second = stretches(path)[1]
    data[second.end - 1] ^= 1  # the last pixel of its image
    path.write_bytes(data)
    clip = check(path)
    assert 'crc validation failed' in clip.lacks
    assert clip.lacks.count('is damaged') == 1


@pytest.mark.parametrize('late', [2 ** 63, 2 ** 64 - 1])
def test_a_time_of_recording_beyond_63_bits_costs_nothing(tmp_path, late):
    with Mcap(tmp_path / 'b.mcap') as file:
        channel = file.channel()
        file.images(channel, 5)
        file.write(channel, image(5), late)
    assert values(RosbagClip(tmp_path / 'b.mcap')) == [0, 10, 20, 30, 40, 50]


def test_a_time_of_recording_that_is_no_number_costs_nothing(tmp_path):
    rows = [(1, time_ns, image(k)) for k, time_ns in enumerate(times(5))]
    check(write_db3(tmp_path / 'b.db3', messages=[*rows, (1, 'late', image(5))]))


@pytest.mark.parametrize('offset', [37, 41])  # of the length of a chunk's name, of its records
def test_lengths_in_a_chunk_are_not_believed(tmp_path, offset):
    path = write_mcap(tmp_path / 'b.mcap')
    data = bytearray(path.read_bytes())
    at = stretches(path)[1].start - 9 + offset
    data[at:at + 4] = b'\0\0\0\x7f'
    if offset == 41:
        data[at:at + 8] = (2 ** 59).to_bytes(8, 'little')
    path.write_bytes(data)
    clip = RosbagClip(path)
    assert values(clip) == [0, 20, 30, 40, 50] and 'goes beyond its end' in clip.lacks


@pytest.mark.parametrize('order', [(1, 0), (0, 1)])
@pytest.mark.parametrize('overlap', [False, True])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_parts_come_by_time_of_recording(tmp_path, storage, order, overlap):
    (tmp_path / 'run').mkdir()
    for part, name in enumerate(order):
        numbers = range(part, 6, 2) if overlap else range(3 * part, 3 * part + 3)
        path = tmp_path / 'run' / f'run_{name}'
        if storage == 'mcap':
            with Mcap(path) as file:
                channel = file.channel()
                for k in numbers:
                    file.write(channel, image(k), times(6)[k])
        else:
            write_db3(path, messages=[(1, times(6)[k], image(k)) for k in numbers])
    check(tmp_path / 'run')


@pytest.mark.parametrize('compression', [CompressionType.NONE, CompressionType.LZ4,
                                         CompressionType.ZSTD])
def test_a_damaged_chunk_of_a_file_without_index_costs_its_own_messages(tmp_path, compression):
    path = tmp_path / 'b.mcap'
    with path.open('wb') as target:
        writer = Writer(target, chunk_size=2000, compression=compression,
                        index_types=IndexType.NONE)
        writer.start('ros2')
        schema = writer.register_schema(IMAGE, 'ros2msg', definition(IMAGE).encode())
        channel = writer.register_channel(TOPIC, 'cdr', schema)
        for k, time_ns in enumerate(times(6)):
            writer.add_message(channel, time_ns, image(k), time_ns)
        writer.finish()
    data = bytearray(path.read_bytes())
    second = stretches(path)[1]
    data[second.start + 50:second.start + 70] = b'\xff' * 20
    path.write_bytes(data)
    clip = RosbagClip(path)
    assert values(clip) == [0, 20, 30, 40, 50]
    assert clip.lacks.count('is damaged') == 1
