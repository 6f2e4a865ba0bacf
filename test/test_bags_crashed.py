"""What a killed recorder leaves is read as far as it is whole, by every reader in one way."""

import json
import pickle
import shutil
import sqlite3
import subprocess
import sys

from mcap.reader import make_reader
from mcap.stream_reader import CRCValidationError, StreamReader
from mcap.writer import CompressionType, Writer
import numpy as np
import pytest
from recording_samples import LABELS, one, ROOT, STEP_NS, write_bag

from forecast_detector.bags import BagError, BagReader, BagWriter
from forecast_detector.cli.main import main
from forecast_detector.data.rosbag import find_bags, load_rosbag, RosbagClip
from forecast_detector.replay.recording import open_recording

FRAMES = 25
FIRST_NS = 5_000_000_000


def large(value):
    """A flat image of which two fill a chunk."""
    return np.full((480, 640, 3), value, np.uint8)


def write_large(path, frames=6, start=0):
    with BagWriter(path) as bag:
        for k in range(start, start + frames):
            bag.image('/cam/image_raw', large(10 * k), FIRST_NS + k * STEP_NS, 'lens')
            bag.detections('/cam/truth', one([k, 2, k + 10, 12], k % 2), LABELS,
                           FIRST_NS + k * STEP_NS)
    return path


def crash(path, share=1.0):
    """Take the metadata from a bag, and the end from its file."""
    (path / 'metadata.yaml').unlink()
    file = next(path.iterdir())
    data = file.read_bytes()
    file.write_bytes(data[:int(len(data) * share)])
    return path


def values(clip):
    return [int(clip.read(k)[0, 0, 0]) for k in range(len(clip))]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_bag_that_only_lacks_its_metadata_is_whole(tmp_path, storage):
    path = crash(write_bag(tmp_path / 'b', storage, frames=FRAMES))
    clip = RosbagClip(path)
    assert (len(clip), clip.unmatched, clip.truth_topic) == (FRAMES, 0, '/cam/truth')
    assert values(clip) == [10 * k for k in range(FRAMES)]
    assert clip.lacks == 'it has no metadata.yaml (the recorder was killed)'
    assert find_bags(path) == [path] and find_bags(tmp_path) == [path]
    assert RosbagClip(write_bag(tmp_path / 'c', storage)).lacks is None


def test_an_mcap_without_an_end_gives_its_whole_messages(tmp_path):
    path = crash(write_large(tmp_path / 'b'), 0.6)
    clip = pickle.loads(pickle.dumps(load_rosbag(path).clips[0]))
    assert values(clip) == [0, 10, 20, 30][:len(clip)] and len(clip) >= 2
    assert [values(clip)[k] for k in (1, 0, 1)] == [int(clip.read(k)[0, 0, 0]) for k in (1, 0, 1)]
    assert 'b.mcap has no end' in clip.lacks and 'no metadata.yaml' in clip.lacks
    with BagReader(path) as bag, BagReader(path / 'b.mcap') as file:
        count = bag.count('/cam/image_raw') + bag.count('/cam/truth')
        assert count == sum(1 for _ in bag.records(list(bag.topics)))
        assert file.topics == bag.topics and file.span_ns() == bag.span_ns()
        assert f'its {count} whole messages are read, the last ' in file.missing
        assert bag.span_ns()[0] == FIRST_NS
        # Chunks that begin later are not looked into; the limits hold inside of them.
        second = [time for time, _ in bag.messages('/cam/image_raw', FIRST_NS + STEP_NS)]
        assert second == [FIRST_NS + k * STEP_NS for k in range(1, len(clip))]
        assert len(list(bag.messages('/cam/image_raw', None, FIRST_NS + STEP_NS))) == 1


def test_every_cut_of_an_mcap_is_read_or_named(tmp_path):
    data = (write_bag(tmp_path / 'b', frames=3) / 'b.mcap').read_bytes()
    lengths = set()
    for cut in range(0, len(data), 97):
        file = tmp_path / 'cut.mcap'
        file.write_bytes(data[:cut])
        try:
            lengths.add(len(RosbagClip(file)))
        except BagError as error:
            assert 'cut.mcap: ' in str(error)
            lengths.add(0)
    assert lengths == {0, 3}


def test_a_damaged_chunk_does_not_cost_what_follows(tmp_path):
    path = crash(write_large(tmp_path / 'b', frames=8), 0.9) / 'b.mcap'
    whole = values(RosbagClip(path.parent))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # a pixel that is not looked at
    path.write_bytes(data)
    clip = RosbagClip(path.parent)
    assert values(clip) == whole and clip.lacks.count('crc validation failed') == 1
    data[len(data) // 2:] = bytes(10_000_000)  # blocks that a power cut left without their data
    path.write_bytes(data)
    clip = RosbagClip(path.parent)
    assert values(clip) == whole[:len(clip)] and 2 <= len(clip) <= 4


def test_the_parts_of_a_recording_are_one_bag_in_the_order_of_their_numbers(tmp_path):
    (tmp_path / 'run').mkdir()
    for number in (0, 1, 2, 10):
        bag = write_large(tmp_path / str(number), 2, start=number)
        shutil.copy(bag / f'{number}.mcap', tmp_path / 'run' / f'run_{number}.mcap')
        shutil.rmtree(bag)
    assert find_bags(tmp_path) == find_bags(tmp_path / 'run') == [tmp_path / 'run']
    clip = RosbagClip(tmp_path / 'run')
    assert values(clip) == [0, 10, 10, 20, 20, 30, 100, 110]
    with BagReader(tmp_path / 'run') as bag:
        assert bag.count('/cam/image_raw') == 8
        assert bag.span_ns() == (FIRST_NS, FIRST_NS + 11 * STEP_NS + 1)
    # Files of other names are recordings of their own.
    (tmp_path / 'run').rename(tmp_path / 'loose')
    assert len(find_bags(tmp_path / 'loose')) == 4
    with pytest.raises(BagError, match='loose: not a bag.*neither metadata.yaml nor the files'):
        BagReader(tmp_path / 'loose')


def test_messages_outside_of_chunks_are_read_too(tmp_path):
    whole = write_bag(tmp_path / 'b', frames=4) / 'b.mcap'
    with whole.open('rb') as source, (tmp_path / 'flat.mcap').open('wb') as target:
        writer = Writer(target, use_chunking=False, compression=CompressionType.NONE)
        writer.start('ros2')
        channels = {}
        for schema, channel, message in make_reader(source).iter_messages():
            if channel.id not in channels:
                number = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(channel.topic, 'cdr', number)
            writer.add_message(channels[channel.id], message.log_time, message.data,
                               message.publish_time)
    clip = RosbagClip(tmp_path / 'flat.mcap')
    assert values(clip) == [0, 10, 20, 30] and 'has no end' in clip.lacks


def test_replay_and_evaluation_see_the_same_of_a_crashed_bag(tmp_path):
    path = crash(write_large(tmp_path / 'b'), 0.6)
    recording = open_recording(path, LABELS)
    clip = recording.clips['/cam/image_raw']
    assert len(clip) == len(RosbagClip(path)) and clip.lacks == RosbagClip(path).lacks


def test_what_is_no_bag_is_listed_to_be_named(tmp_path):
    write_bag(tmp_path / 'a')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'gone').symlink_to(tmp_path / 'unmounted')
    (tmp_path / 'deeper' / 'bag').mkdir(parents=True)
    (tmp_path / '.cache').mkdir()
    (tmp_path / 'readme.txt').write_text('hello')
    assert [path.name for path in find_bags(tmp_path)] == ['a', 'deeper', 'empty', 'gone']
    named = {}
    load_rosbag(tmp_path, on_bad=lambda path, error: named.update({path.name: str(error)}))
    assert 'empty folder' in named['empty'] and 'a link to' in named['gone']
    assert 'not a bag' in named['deeper'] and len(named) == 3


def test_the_reason_of_broken_metadata_is_one_line(tmp_path):
    (write_bag(tmp_path / 'b') / 'metadata.yaml').write_text('a: [1,\nb: {')
    with pytest.raises(BagError, match='without its metadata.yaml') as caught:
        BagReader(tmp_path / 'b')
    assert '\n' not in str(caught.value)


def test_a_write_ahead_log_that_is_not_read_is_named_of(tmp_path):
    path = crash(write_bag(tmp_path / 'b', 'sqlite3'))
    (path / 'b.db3-wal').write_bytes(b'pages')
    with BagReader(path) as bag:
        assert 'what is in b.db3-wal alone is not read' in bag.missing


KILLED = """
import os, sys
import numpy as np
from forecast_detector.bags import storage, BagWriter
storage.COMMIT_BYTES = 3_000_000
bag = BagWriter(sys.argv[1], sys.argv[2])
for k in range(8):
    bag.image('/cam/image_raw', np.full((480, 640, 3), 10 * k, np.uint8), k * 100_000_000)
os._exit(9)
"""


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_what_our_own_writer_wrote_before_it_was_killed_is_there(tmp_path, storage):
    path = tmp_path / 'b'
    assert subprocess.run([sys.executable, '-c', KILLED, path, storage], cwd=ROOT).returncode == 9
    if storage == 'sqlite3' and (path / 'b.db3-journal').exists():
        with pytest.raises(BagError, match='was not finished.*let SQLite take it back'):
            RosbagClip(path)
        sqlite3.connect(path / 'b.db3').execute('PRAGMA integrity_check').close()
    clip = RosbagClip(path)
    assert len(clip) >= 3 and values(clip) == [10 * k for k in range(len(clip))]


def test_an_mcap_has_checksums_and_the_qos_of_its_topics(tmp_path):
    path = write_large(tmp_path / 'b', 4) / 'b.mcap'
    with path.open('rb') as file:
        summary = make_reader(file, validate_crcs=True).get_summary()
    assert {c.metadata['topic_type_hash'][:7] for c in summary.channels.values()} == {'RIHS01_'}
    assert all('reliability' in c.metadata['offered_qos_profiles']
               for c in summary.channels.values())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with path.open('rb') as file, pytest.raises(CRCValidationError):
        list(StreamReader(file, validate_crcs=True).records)


def test_every_command_reads_a_crashed_bag_and_says_so(weights, tmp_path, capsys):
    whole = write_large(tmp_path / 'bags' / 'a')
    path = crash(write_large(tmp_path / 'bags' / 'b'), 0.6)
    frames = len(RosbagClip(path))
    data = ('--dataset', 'rosbag', '--root', tmp_path / 'bags', '--device', 'cpu')

    def named(*options):
        out = tmp_path / 'out.json'
        status = main([str(option) for option in (*options, '--json', out)])
        assert f'note: {path}: it has no metadata.yaml' in capsys.readouterr().err
        values = json.loads(out.read_text())
        assert list(values['provenance']['unfinished']) == [str(path)]
        assert status == 0
        return values

    both = named('evaluate', '--weights', weights, *data, '--policy', 'read')
    assert (both['frames'], both['clips'], both['skipped']) == (6 + frames, 2, [])
    replayed = named('replay', '--weights', weights, '--bag', path, '--out', tmp_path / 'replay',
                    '--device', 'cpu')
    assert (replayed['frames'], replayed['annotated']) == (frames, None)
    assert main(['convert', '--from', 'rosbag', '--root', str(tmp_path / 'bags'), '--to',
                 'coco_vid', '--out', str(tmp_path / 'coco')]) == 0
    said = capsys.readouterr()
    assert f'2 clips, {6 + frames} images' in said.out and f'note: {path}: ' in said.err
    assert RosbagClip(whole).lacks is None


def test_what_is_no_bag_is_skipped_with_status_3(weights, tmp_path):
    write_bag(tmp_path / 'bags' / 'a')
    (tmp_path / 'bags' / 'empty').mkdir()
    (tmp_path / 'bags' / 'gone').symlink_to(tmp_path / 'unmounted')
    (write_bag(tmp_path / 'bags' / 'yaml') / 'metadata.yaml').write_text('a: [1,\nb: {')
    out = tmp_path / 'out.json'
    assert main(['evaluate', '--weights', str(weights), '--dataset', 'rosbag', '--device', 'cpu',
                 '--root', str(tmp_path / 'bags'), '--policy', 'read', '--json', str(out)]) == 3
    reasons = {row['name'].rpartition('/')[2]: row['reason']
               for row in json.loads(out.read_text())['skipped']}
    assert sorted(reasons) == ['empty', 'gone', 'yaml']
    assert not any('\n' in reason for reason in reasons.values())
