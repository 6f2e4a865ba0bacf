"""Recordings as other tools write them, made by the lower levels of the libraries."""

import sqlite3

from mcap.writer import CompressionType, IndexType, Writer
import numpy as np

from forecast_detector.bags import BagWriter
from forecast_detector.bags.messages import default_typestore, IMAGE, make_header

FIRST_NS = 5_000_000_000
STEP_NS = 100_000_000
TOPIC = '/cam/image_raw'
STRING = 'std_msgs/msg/String'


def image(k, stamp_ns=None, size=(32, 24)):
    """Serialize a flat image of value 10 k, modulo 256."""
    width, height = size
    stamp_ns = FIRST_NS + k * STEP_NS if stamp_ns is None else stamp_ns
    message = default_typestore().types[IMAGE](
        header=make_header(stamp_ns, 'lens'), height=height, width=width, encoding='rgb8',
        is_bigendian=0, step=3 * width, data=np.full(3 * width * height, 10 * k % 256, np.uint8),
    )
    return bytes(default_typestore().serialize_cdr(message, IMAGE))


def write_bag(path, *stamps_ns, topic=TOPIC):
    """Write a bag with a flat image at each of some times, and one other message; returns it."""
    types = default_typestore().types
    with BagWriter(path) as bag:
        for stamp_ns in stamps_ns:
            bag.write_raw(topic, IMAGE, image(9, stamp_ns), stamp_ns)
        bag.write('/chatter', STRING, types[STRING](data='no image'), FIRST_NS)
    return path


def definition(msgtype):
    """Write the definition of a type as recorders do."""
    text, _ = default_typestore().generate_msgdef(msgtype, ros_version=2)
    return text


def times(count, start=0):
    return [FIRST_NS + k * STEP_NS for k in range(start, start + count)]


class Mcap:
    """An MCAP with a camera, and whatever else a test puts in it."""

    def __init__(self, path, profile='ros2', **options):
        self._file = path.open('wb')
        options = {'chunk_size': 2000, 'compression': CompressionType.NONE, **options}
        self.writer = Writer(self._file, **options)
        self.writer.start(profile)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.writer.finish()
        self._file.close()

    def channel(self, topic=TOPIC, msgtype=IMAGE, encoding='cdr', schema='ros2msg', text=None,
                metadata=None):
        """Add a channel with a schema of its own."""
        text = definition(msgtype) if text is None else text
        number = self.writer.register_schema(
            msgtype, schema, text if isinstance(text, bytes) else text.encode())
        return self.writer.register_channel(topic, encoding, number, metadata or {})

    def write(self, channel, data, time_ns):
        self.writer.add_message(channel, time_ns, data, time_ns)

    def images(self, channel, count=6, start=0):
        for k, time_ns in zip(range(start, start + count), times(count, start)):
            self.write(channel, image(k), time_ns)


def write_mcap(path, count=6, profile='ros2', **options):
    """Write a camera's images."""
    with Mcap(path, profile, **options) as file:
        file.images(file.channel(), count)
    return path


NO_MESSAGE_INDEX = {'index_types': IndexType.CHUNK}

TABLES = {
    1: 'CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, '
       'serialization_format TEXT NOT NULL);',
    2: 'CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, '
       'serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);',
    4: 'CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, '
       'serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL, '
       'type_description_hash TEXT NOT NULL);',
}
TABLES[3] = TABLES[2]
MORE = {
    3: 'CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);'
       "INSERT INTO schema VALUES (3, 'rolling');",
    4: 'CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);'
       "INSERT INTO schema VALUES (4, 'rolling');"
       'CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, '
       'encoding TEXT NOT NULL, encoded_message_definition TEXT NOT NULL, '
       'type_description_hash TEXT NOT NULL);',
}


def write_db3(path, version=4, topics=((TOPIC, IMAGE, 'cdr'),), messages=None, definitions=()):
    """
    Write an SQLite bag as rosbag2 of some version does.

    :param messages: (number of the topic from 1, time, data); images of the first by default.
    """
    file = sqlite3.connect(path)
    file.executescript(
        TABLES[version] + MORE.get(version, '') +
        'CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, '
        'timestamp INTEGER NOT NULL, data BLOB NOT NULL);'
        'CREATE INDEX timestamp_idx ON messages (timestamp ASC);'
    )
    blank = [''] * {1: 0, 2: 1, 3: 1, 4: 2}[version]
    for number, row in enumerate(topics, 1):
        marks = ','.join('?' * (4 + len(blank)))
        file.execute(f'INSERT INTO topics VALUES ({marks})', (number, *row, *blank))
    if messages is None:
        messages = [(1, time_ns, image(k)) for k, time_ns in enumerate(times(6))]
    file.executemany('INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)', messages)
    for row in definitions:
        file.execute('INSERT INTO message_definitions (topic_type, encoding, '
                     'encoded_message_definition, type_description_hash) VALUES (?, ?, ?, ?)', row)
    file.commit()
    file.close()
    return path


