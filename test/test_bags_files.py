"""Files are known by their content: compressed, of other kinds, with other names, in folders."""

import bz2
import gzip
import json
import lzma
import os
from pathlib import Path
import shutil
import tarfile
import tempfile

from bag_checks import check, values
from bag_samples import FIRST_NS, image, Mcap, times, TOPIC, write_db3, write_mcap
import pytest
from recording_samples import write_bag
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
import zstandard

from forecast_detector.bags import BagError, BagReader, folders, unpacking
from forecast_detector.bags.finding import find_bags, is_bag
from forecast_detector.bags.messages import default_typestore, IMAGE
from forecast_detector.cli.main import main
from forecast_detector.data.rosbag import load_rosbag, RosbagClip


def packed(path, target, frames=1):
    """Compress a file with zstd."""
    data = path.read_bytes()
    size = -(-len(data) // frames)
    target.write_bytes(b''.join(
        zstandard.ZstdCompressor().compress(data[k * size:(k + 1) * size]) for k in range(frames)
    ))
    return target


def write_ros1(path):
    with Ros1Writer(path) as bag:
        connection = bag.add_connection('/cam', 'std_msgs/msg/String', typestore=(
            default_typestore()))
        bag.write(connection, FIRST_NS, b'\2\0\0\0hi')
    return path


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Give the folder for temporary files, which is empty."""
    folder = tmp_path / 'scratch'
    folder.mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(folder))
    return folder


@pytest.mark.parametrize('name', ['b.mcap.zstd', 'b.mcap.zst', 'b.MCAP.ZST', 'b', 'b.bin'])
@pytest.mark.parametrize('write', [write_mcap, write_db3])
@pytest.mark.parametrize('frames', [1, 3])
def test_what_is_compressed_is_read_and_leaves_nothing_behind(
    tmp_path, scratch, name, write, frames
):
    path = packed(write(tmp_path / 'whole'), tmp_path / name, frames)
    clip = check(path)
    assert clip.lacks is None and is_bag(path)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize('name', ['UPPER.MCAP', 'b.Db3', 'none', 'wrong.mp4', 'wrong.db3'])
def test_the_name_of_a_file_does_not_matter(tmp_path, name):
    path = write_mcap(tmp_path / name)
    check(path)
    assert is_bag(path) and find_bags(tmp_path) == [tmp_path]  # the only one is the folder
    path.unlink()
    check(write_db3(tmp_path / name))
    assert is_bag(path) and find_bags(tmp_path) == [tmp_path]  # the only one is the folder


def test_compressed_files_that_are_cut_are_read_as_far_as_they_go(tmp_path, scratch):
    path = packed(write_mcap(tmp_path / 'whole', 40), tmp_path / 'b.mcap.zst', 8)
    path.write_bytes(path.read_bytes()[:-2000])
    clip = RosbagClip(path)
    assert 5 < len(clip) < 40 and values(clip) == [10 * k % 256 for k in range(len(clip))]
    assert 'b.mcap.zst has no end' in clip.lacks
    path.write_bytes(b'\x28\xb5\x2f\xfdnonsense')
    with pytest.raises(BagError, match='b.mcap.zst: broken.*zstd'):
        RosbagClip(path)
    assert list(scratch.iterdir()) == []


def test_what_does_not_fit_on_the_disk_is_not_unpacked(tmp_path, scratch, monkeypatch):
    path = packed(write_mcap(tmp_path / 'whole'), tmp_path / 'b.mcap.zst')
    monkeypatch.setattr(unpacking, 'SPARE_BYTES', 2 ** 62)
    with pytest.raises(BagError, match=r'too large for .*TMPDIR.*zstd -d b\.mcap\.zst'):
        RosbagClip(path)
    assert list(scratch.iterdir()) == []


def write_tar(path):
    (path.parent / 'in').write_bytes(b'x' * 1000)
    with tarfile.open(path, 'w') as archive:
        archive.add(path.parent / 'in')


OTHERS = {
    'b.bag': (write_ros1, r'a ROS 1 bag; convert it: rosbags-convert --src b\.bag --dst b'),
    'b.bag.active': (write_ros1, 'a ROS 1 bag; convert it'),
    'b.mcap.gz': (lambda p: p.write_bytes(gzip.compress(b'x')), r'gzip -d b\.mcap\.gz'),
    'b.mcap.xz': (lambda p: p.write_bytes(lzma.compress(b'x')), r'xz -d b\.mcap\.xz'),
    'b.db3.bz2': (lambda p: p.write_bytes(bz2.compress(b'x')), r'bzip2 -d b\.db3\.bz2'),
    'b.db3.zip': (lambda p: p.write_bytes(b'PK\3\4rest'), r'unzip b\.db3\.zip'),
    'b.mcap.tar': (lambda p: write_tar(p), r'a tar archive; unpack it: tar -xf b\.mcap\.tar'),
    'c.mcap': (lambda p: write_tar(p), r'a tar archive; unpack it: tar -xf c\.mcap'),
    'b.mcap.7z': (lambda p: p.write_bytes(b"7z\xbc\xaf'\x1crest"), r'7z x b\.mcap\.7z'),
    'd.mcap': (lambda p: p.write_bytes(b'Rar!\x1a\x07rest'), r'unrar x d\.mcap'),
    'e.mcap': (lambda p: p.write_bytes(b'version https://git-lfs.github.com/spec/v1\n'),
               "pointer of Git LFS.*git lfs pull --include 'e.mcap'"),
    'b.mcap': (lambda p: p.write_bytes(b''), r'an empty file \(0 bytes\)'),
    'b.db3': (lambda p: p.write_bytes(b'text'), 'broken.*neither MCAP nor SQLite'),
}


@pytest.mark.parametrize('name', OTHERS)
def test_what_is_not_read_is_named_with_what_makes_a_bag_of_it(tmp_path, name):
    write, expected = OTHERS[name]
    write(tmp_path / name)
    assert is_bag(tmp_path / name)
    with pytest.raises(BagError, match=f'{tmp_path}/{name}: .*{expected}') as caught:
        BagReader(tmp_path / name)
    assert '\n' not in str(caught.value)


def test_a_ros_1_bag_is_known_without_its_suffix_and_compressed(tmp_path):
    write_ros1(tmp_path / 'b.bag')
    packed(tmp_path / 'b.bag', tmp_path / 'x.zst')
    with pytest.raises(BagError, match='x.zst: a ROS 1 bag'):
        BagReader(tmp_path / 'x.zst')
    assert [path.name for path in find_bags(tmp_path)] == ['b.bag', 'x.zst']


def test_other_files_are_no_concern(tmp_path):
    write_mcap(tmp_path / 'b.mcap')
    write_mcap(tmp_path / 'c.mcap')
    (tmp_path / 'notes.txt').write_text('hello')
    (tmp_path / 'notes.txt.gz').write_bytes(gzip.compress(b'hello'))
    packed(tmp_path / 'notes.txt', tmp_path / 'notes.txt.zst')
    (tmp_path / 'video.mp4').write_bytes(b'\0\0\0\x18ftypmp42')
    with __import__('sqlite3').connect(tmp_path / 'index.db') as file:
        file.execute('CREATE TABLE files(name TEXT)')
    file.close()
    assert [path.name for path in find_bags(tmp_path)] == ['b.mcap', 'c.mcap']
    assert not is_bag(tmp_path / 'video.mp4')


@pytest.mark.parametrize('command', [
    ('evaluate', '--policy', 'read', '--json'), ('convert', '--to', 'coco_vid', '--out'),
])
def test_in_a_folder_all_are_read_or_skipped_with_status_3(
    weights, tmp_path, capsys, command
):
    folder = tmp_path / 'bags'
    write_bag(folder / 'a', truth=None)
    shutil.move(folder / 'a' / 'a.mcap', folder / 'A.MCAP')
    shutil.rmtree(folder / 'a')
    packed(folder / 'A.MCAP', folder / 'b.mcap.zstd')
    write_db3(tmp_path / 'whole')
    packed(tmp_path / 'whole', folder / 'c.db3.zst')
    for name in OTHERS:
        OTHERS[name][0](folder / f'no_{name}')
    name, *options = command
    source = (('--from', 'rosbag') if name == 'convert' else
              ('--weights', weights, '--device', 'cpu', '--dataset', 'rosbag'))
    out = tmp_path / 'out.json'
    status = main([str(option) for option in (name, *source, '--root', folder, *options, out)])
    said = capsys.readouterr().err
    assert status == 3
    for skipped in OTHERS:
        assert said.count(f'no_{skipped}: ') == 1
    assert said.count('skipped: ') == len(OTHERS)
    if name == 'evaluate':
        assert json.loads(out.read_text())['clips'] == 3


@pytest.mark.parametrize('plugin', [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize('mode', [CompressionMode.MESSAGE, CompressionMode.FILE])
@pytest.mark.parametrize('keeps_metadata', [True, False])
def test_bags_of_both_ways_of_compression_are_read_with_and_without_metadata(
    tmp_path, plugin, mode, keeps_metadata
):
    path = tmp_path / 'b'
    writer = Writer(path, version=8, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection(TOPIC, IMAGE, typestore=default_typestore())
        for k, time_ns in enumerate(times(6)):
            writer.write(connection, time_ns, image(k))
    if not keeps_metadata:
        (path / 'metadata.yaml').unlink()
    check(path)
    if not keeps_metadata:
        check(next(path.iterdir()))


def test_a_damaged_compressed_message_is_named(tmp_path):
    good = [zstandard.ZstdCompressor().compress(image(k)) for k in range(6)]
    good[2] = good[2][:12]
    good[4] = b'\x28\xb5\x2f\xfd' + b'\xff' * 20
    with Mcap(tmp_path / 'b.mcap') as file:
        channel = file.channel()
        for data, time_ns in zip(good, times(6)):
            file.write(channel, data, time_ns)
    clip = RosbagClip(tmp_path / 'b.mcap')
    assert values(clip) == [0, 10, 30, 50] and clip.broken == 2
    assert 'compressed with zstd, and' in clip.lacks


METADATA = [
    (b'', 'is empty'), (b'\0' * 500, 'is empty'), (b'\n\n', 'is empty'),
    (0.05, 'is cut or damaged'), (0.3, 'is cut or damaged'), (0.6, 'is cut or damaged'),
]


@pytest.mark.parametrize(('rest', 'expected'), METADATA)
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_metadata_that_a_power_cut_left_do_not_cost_the_bag(tmp_path, storage, rest, expected):
    path = write_bag(tmp_path / 'b', storage) / 'metadata.yaml'
    data = path.read_bytes()
    if isinstance(rest, float):
        key = data.index(b'relative_file_paths')
        rest = data[:min(int(len(data) * rest), key)]
    path.write_bytes(rest)
    clip = RosbagClip(tmp_path / 'b')
    assert len(clip) == 6 and f'its metadata.yaml {expected}' in clip.lacks


def test_metadata_of_something_else_are_refused_in_words(tmp_path):
    for text in ('name: run', '[1, 2]', '{}', 'rosbag: {relative_file_paths: [a]}'):
        path = write_bag(tmp_path / 'b')
        (path / 'metadata.yaml').write_text(text)
        with pytest.raises(BagError, match='no metadata of rosbag2') as caught:
            BagReader(path)
        assert 'NoneType' not in str(caught.value)
        shutil.rmtree(path)


def split(tmp_path, parts=3):
    """Write a bag of parts with its metadata."""
    folder = tmp_path / 'run'
    folder.mkdir()
    for part in range(parts):
        with Mcap(folder / f'run_{part}.mcap') as file:
            file.images(file.channel(), 2, 2 * part)
    names = '\n'.join(f'  - run_{part}.mcap' for part in range(parts))
    (folder / 'metadata.yaml').write_text(
        f'{folders.KEY}:\n  version: 5\n  message_count: 999\n  relative_file_paths:\n{names}\n')
    return folder


def test_counts_in_metadata_are_not_believed(tmp_path):
    check(split(tmp_path))


def test_a_part_that_metadata_name_twice_is_read_once(tmp_path):
    path = split(tmp_path) / 'metadata.yaml'
    path.write_text(path.read_text() + '  - run_1.mcap\n')
    check(path.parent)


@pytest.mark.parametrize('keeps_metadata', [True, False])
def test_a_part_that_is_missing_or_empty_is_named_and_the_rest_read(tmp_path, keeps_metadata):
    folder = split(tmp_path, 4)
    if not keeps_metadata:
        (folder / 'metadata.yaml').unlink()
    (folder / 'run_0.mcap').write_bytes(b'')
    (folder / 'run_2.mcap').unlink()
    clip = RosbagClip(folder)
    assert values(clip) == [20, 30, 60, 70]
    assert 'run_0.mcap is not read: an empty file' in clip.lacks
    missing = 'run_2.mcap, which' if keeps_metadata else 'there is no part 2'
    assert missing in clip.lacks


def test_a_part_that_is_cut_is_read_as_far_as_it_goes(tmp_path):
    folder = split(tmp_path)
    last = folder / 'run_2.mcap'
    last.write_bytes(last.read_bytes()[:-30])
    assert 'run_2.mcap has no end' in check(folder).lacks


def test_parts_that_were_renamed_packed_or_not_named_are_found(tmp_path):
    folder = split(tmp_path)
    packed(folder / 'run_1.mcap', folder / 'run_1.mcap.zstd')
    (folder / 'run_1.mcap').unlink()
    assert check(folder).lacks is None
    text = (folder / 'metadata.yaml').read_text()
    (folder / 'metadata.yaml').write_text(text.replace('  - run_2.mcap\n', '  - run_2.m'))
    assert 'run_2.mcap, which metadata.yaml does not name, is read, too' in check(folder).lacks
    shutil.rmtree(folder)
    folder = split(tmp_path, 1)
    (folder / 'run_0.mcap').rename(folder / 'mine.mcap')
    assert 'run_0.mcap, which metadata.yaml names, is not there' in RosbagClip(folder).lacks
    (folder / 'mine.mcap').unlink()
    with pytest.raises(BagError, match='metadata.yaml names run_0.mcap, and there is none'):
        BagReader(folder)


def test_files_that_may_not_be_read_are_named_of(tmp_path):
    if os.geteuid() == 0:
        pytest.skip('root may read everything')
    write_mcap(tmp_path / 'a.mcap')
    write_mcap(tmp_path / 'b.mcap').chmod(0)
    named = {}
    load_rosbag(tmp_path, on_bad=lambda path, error: named.update({Path(path).name: str(error)}))
    assert 'b.mcap' in named
