"""What pictures, weights and recordings claim is compared before memory is taken for it."""

import json
import os
import signal
import struct
from types import SimpleNamespace
import zlib

from bag_samples import Mcap, times, write_mcap
from conftest import make_tiny_network, TINY
import cv2
import lz4.frame
from mcap.writer import CompressionType
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
import zstandard

from forecast_detector import checkpoint
from forecast_detector.bags import BagError, BagReader, mcap_records, unpacking
from forecast_detector.bags.finding import find_bags
from forecast_detector.bags.messages import COMPRESSED_IMAGE
from forecast_detector.bags.reader import frame_from_message
from forecast_detector.cli.main import main
from forecast_detector.config import ModelConfig, to_dict
from forecast_detector.images import check_image_layout, decode_compressed, jpeg, picture_kind
from forecast_detector.images.claimed import claimed_size
from forecast_detector.limits import MAX_CHUNK_BYTES, MAX_PIXELS, MAX_SCANS
from forecast_detector.model.families import make_network, outline
from forecast_detector.node import NodeConfig
from forecast_detector.types import BadFrameError, WeightsError

WIDTH, HEIGHT = 53, 37
PICTURE = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), (5, 5), 0)
WAYS = {
    'jpeg': ('.jpg', []),
    'progressive jpeg': ('.jpg', [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    'png': ('.png', []), 'bmp': ('.bmp', []), 'tiff': ('.tiff', []),
    'webp': ('.webp', [cv2.IMWRITE_WEBP_QUALITY, 80]),
    'lossless webp': ('.webp', [cv2.IMWRITE_WEBP_QUALITY, 101]),
    'ppm': ('.ppm', []), 'plain ppm': ('.ppm', [
        cv2.IMWRITE_PXM_BINARY, 0]), 'pam': ('.pam', []),
}


def encoded(way):
    suffix, settings = WAYS[way]
    return cv2.imencode(suffix, PICTURE, settings)[1].tobytes()


def forged(way):
    """Make a picture whose header claims 30000x30000 pixels."""
    data, side = bytearray(encoded(way)), 30_000
    if 'jpeg' in way:
        at = next(data.index(mark) for mark in (b'\xff\xc0', b'\xff\xc2') if mark in data)
        data[at + 5:at + 9] = struct.pack('>HH', side, side)
    elif way == 'png':
        data[16:24] = struct.pack('>II', side, side)
        data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    elif way == 'bmp':
        data[18:26] = struct.pack('<ii', side, -side)
    elif way == 'tiff':
        directory = int.from_bytes(data[4:8], 'little')
        for entry in range(int.from_bytes(data[directory:directory + 2], 'little')):
            at = directory + 2 + 12 * entry
            if int.from_bytes(data[at:at + 2], 'little') in (256, 257):
                data[at + 2:at + 12] = struct.pack('<HII', 4, 1, side)
    elif way == 'pam':
        return bytes(data).replace(b'53', b'30000').replace(b'37', b'30000')
    else:
        return bytes(data).replace(b'53 37', b'30000 30000')
    return bytes(data)


def _refuse(*_, **__):
    raise AssertionError('memory was taken for it')


@pytest.fixture
def undecoded(monkeypatch):
    """Fail where anything is decoded."""
    monkeypatch.setattr(cv2, 'imdecode', _refuse)
    if jpeg.simplejpeg is not None:
        monkeypatch.setattr(jpeg.simplejpeg, 'decode_jpeg', _refuse)


@pytest.fixture
def impatient():
    """Fail where a test waits for ever."""
    def end(*_):
        raise TimeoutError('it hangs')

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize('way', WAYS)
def test_the_claimed_size_is_that_of_the_picture(way):
    data = encoded(way)
    kind = picture_kind(data[:64])
    assert claimed_size(memoryview(data), kind) == (WIDTH, HEIGHT)
    assert decode_compressed(way, data).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize('way', [way for way in WAYS if 'webp' not in way])
def test_a_picture_that_claims_too_much_is_not_decoded(way, undecoded):
    with pytest.raises(BadFrameError, match='claims 30000x30000 pixels.*max_pixels'):
        decode_compressed(way, forged(way))


@pytest.mark.parametrize('way', WAYS)
def test_the_limit_is_the_pixels_that_are_taken(way, undecoded):
    with pytest.raises(BadFrameError, match=f'claims {WIDTH}x{HEIGHT} pixels'):
        decode_compressed(way, encoded(way), WIDTH * HEIGHT - 1)


def test_a_picture_of_the_limit_is_decoded():
    assert decode_compressed('png', encoded('png'), WIDTH * HEIGHT).size


@pytest.mark.parametrize('data', [
    encoded('jpeg')[:20], encoded('png')[:14] + b'\0' * 40, b'P6\n#' + b' ' * 9000,
    b'II*\0\x08\0\0\0\0\0', b'v/1\x01' + bytes(300), b'\x59\xa6\x6a\x95' + bytes(300), bytes(99),
], ids=['jpeg', 'png', 'pnm', 'tiff', 'exr', 'sun', 'zeros'])
def test_a_picture_that_does_not_say_its_size_is_not_decoded(data, undecoded):
    with pytest.raises(BadFrameError):
        decode_compressed('jpeg', data)


def test_no_jpeg_2000_is_decoded_as_damaged_ones_crash_the_decoder(undecoded):
    data = cv2.imencode('.jp2', np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    with pytest.raises(BadFrameError, match='it is JPEG 2000; expected JPEG or PNG'):
        decode_compressed('jpeg', data)


def test_bytes_between_the_segments_do_not_hide_a_size(undecoded):
    data = forged('jpeg')
    second = 4 + int.from_bytes(data[4:6], 'big')
    for between in (b'\0' * 5, b'\xff\xd0', b'\xff' * 3):
        with pytest.raises(BadFrameError, match='30000x30000'):
            decode_compressed('jpeg', data[:second] + between + data[second:])


def test_a_progressive_jpeg_has_a_few_scans(undecoded):
    data = encoded('progressive jpeg')
    begin, end = data.index(b'\xff\xda'), data.rindex(b'\xff\xd9')
    many = data[:begin] + b'\xff\xda\0\x02\x11' * (MAX_SCANS + 1)
    with pytest.raises(BadFrameError, match=f'of {MAX_SCANS + 1} scans'):
        decode_compressed('jpeg', many + data[end:])


def test_a_raw_image_is_bound_too():
    with pytest.raises(BadFrameError, match="'mono8' image claims 10x11 pixels"):
        check_image_layout('mono8', 10, 11, 10, 110, max_pixels=109)
    check_image_layout('mono8', 10, 11, 10, 110, max_pixels=110)
    with pytest.raises(BadFrameError, match='claims'):
        check_image_layout('rgb8', 2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1, 10)


@pytest.mark.parametrize('letters', [1000, 1001])
def test_a_frame_id_is_bound_in_recordings_too(letters):
    # Answers repeat it for each object: a megabyte of it made answers of 90 MB.
    message = SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0), frame_id='x' * letters),
        format='png', data=np.frombuffer(encoded('png'), np.uint8))
    frame = frame_from_message(message, COMPRESSED_IMAGE, 'bag, /camera')
    if letters == 1000:
        assert frame.load().shape == (HEIGHT, WIDTH, 3)
        return
    with pytest.raises(BadFrameError, match='bag, /camera: its frame_id has 1001 letters'):
        frame.load()


def write_weights(path, weights, **changes):
    config = {**to_dict(TINY), **changes}
    save_file(load_file(weights), str(path), {checkpoint.CONFIG_KEY: json.dumps(config)})
    return path


@pytest.mark.parametrize(('changes', 'said'), [
    ({'lstm_channels': 20_000}, r'20000 is not a whole number in \[1, 4096\]'),
    ({'lstm_channels': 2048}, 'in the file and'),
    ({'feature_channels': 4096}, 'in the file and'),
    ({'extra_channels': [16] * 100_000}, '100000 numbers, the largest 16; expected at most 64'),
    ({'displacement': 5000}, r'displacement: 5000 is not a whole number in \[0, 16\]'),
    ({'input_size': [32_000_000, 32_000_000]}, 'at most 2048'),
    ({'labels': [str(k) for k in range(20_000)]}, '20000 class names'),
    ({'labels': ['cat', 'dog\x1b[31m']}, 'no class name'),
    ({'labels': ['cat', 'd' * 1_000_000]}, 'no class name'),
    ({'lstm_channels': 10 ** 400}, r'in \[1, 4096\]'),
    ({'anchors': {'shapes': [[[0.1, 1.0]] * 9] * 5, 'subdivisions': [2, 2, 10_000, 1, 1]}},
     'at most 64'),
])
def test_weights_that_claim_another_shape_are_refused_before_there_is_a_network(
    tiny_weights, tmp_path, monkeypatch, changes, said
):
    path = write_weights(tmp_path / 'bad.safetensors', tiny_weights, **changes)
    monkeypatch.setattr(checkpoint, 'make_network', _refuse)
    monkeypatch.setattr(checkpoint, '_tensors', _refuse)
    with pytest.raises(WeightsError, match=said) as caught:
        checkpoint.load_checkpoint(path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize('length', [0, 1, 2 ** 40, 2 ** 63])
def test_a_header_of_weights_that_claims_its_length_is_refused(tmp_path, length):
    path = tmp_path / 'bad.safetensors'
    path.write_bytes(length.to_bytes(8, 'little') + b'{}' * 50)
    with pytest.raises(WeightsError, match='not a readable'):
        checkpoint.load_checkpoint(path)


def test_an_outline_is_the_network_without_its_memory():
    made = {k: tuple(v.shape) for k, v in make_network(TINY).state_dict().items()}
    assert outline(TINY) == made
    wide = ModelConfig(('a',), feature_channels=4096, lstm_channels=4096)
    assert outline(wide)['encoder1.project.weight'][0] == 4096  # gigabytes, were it made


@pytest.fixture(params=['zstd', 'lz4'])
def bomb(request):
    """Give a compressor, its name for MCAP, and how to unpack."""
    if request.param == 'zstd':
        return zstandard.compress, CompressionType.ZSTD, unpacking.unpack_zstd
    return lz4.frame.compress, CompressionType.LZ4, unpacking.unpack_lz4


def test_what_unpacks_to_more_than_is_taken_is_refused(bomb):
    compress, _, unpack = bomb
    assert unpack(compress(bytes(1000)), 1000) == bytes(1000)
    with pytest.raises(ValueError, match='compressed with'):
        unpack(compress(bytes(1001)), 1000)
    with pytest.raises(ValueError, match='compressed with'):
        unpack(compress(os.urandom(999))[:500], 1000)
    with pytest.raises(ValueError, match='compressed with'):
        unpack(b'garbage' * 9, 1000)


def test_a_frame_that_does_not_say_its_size_is_bound_too():
    packer = zstandard.ZstdCompressor().compressobj()
    data = packer.compress(bytes(5000)) + packer.flush()
    with pytest.raises(ValueError, match='more than 4000 bytes'):
        unpacking.unpack_zstd(data, 4000)


def test_a_chunk_that_claims_too_much_is_named_and_the_others_are_read(
    tmp_path, bomb, monkeypatch
):
    path = tmp_path / 'b.mcap'
    with Mcap(path, compression=bomb[1], chunk_size=3000) as file:
        channel = file.channel()
        file.images(channel, 6)
        file.write(channel, bytes(100_000), times(7)[6])
    monkeypatch.setattr(mcap_records, 'MAX_CHUNK_BYTES', 50_000)
    with BagReader(path) as bag:
        assert len(list(bag.records(list(bag.topics)))) == 6
        assert 'unpacked chunk of 1' in (bag.missing or '')


def test_a_recording_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    path = tmp_path / 'b.mcap.zst'
    packed = zstandard.compress(write_mcap(tmp_path / 'b.mcap').read_bytes())
    path.write_bytes(packed)
    with BagReader(path) as bag:
        assert bag.topics
    packer = zstandard.ZstdCompressor().compressobj()
    for data in (zstandard.compress(bytes(3_000_000)),
                 packer.compress(bytes(3_000_000)) + packer.flush()):
        path.write_bytes(data)
        monkeypatch.setattr(unpacking, 'MAX_CHUNK_BYTES', 1_000_000)
        with pytest.raises(BagError, match='times its size or more'):
            BagReader(path)


def test_a_message_without_a_chunk_is_bound_by_its_length(tmp_path):
    path = tmp_path / 'b.mcap'
    write_mcap(path, use_chunking=False)
    with path.open('r+b') as file:  # a sparse file: it claims, and has, what costs no disk
        data = file.read()
        at = data.index(b'\x05', 100)
        file.seek(at)
        file.write(b'\x05' + struct.pack('<Q', MAX_CHUNK_BYTES))
        file.truncate(MAX_CHUNK_BYTES + 10_000)
    with pytest.raises(BagError):
        BagReader(path)


def test_a_pipe_and_a_device_are_no_recordings(tmp_path, impatient, capsys):
    pipe, device = tmp_path / 'a.mcap', tmp_path / 'b.mcap'
    os.mkfifo(pipe)
    device.symlink_to('/dev/zero')
    for path, what in ((pipe, 'a named pipe'), (device, 'a device')):
        with pytest.raises(BagError, match=f'{what}, not a file'):
            BagReader(path)
        with pytest.raises(FileNotFoundError, match=f'{what}, not a file'):
            find_bags(path)
        for words in (['replay', '--bag', str(path)],
                      ['detect', str(path), '--weights', 'synthetic', '--json', '-']):
            assert main(words) == 1
            assert f'{what}, not a file' in capsys.readouterr().err


@pytest.mark.parametrize(('values', 'said'), [
    ({'input_size': (32_000, 32_000)}, 'at most 2048 pixels'),
    ({'input_size': tuple([32] * 100_000)}, r'\[32, 32, 32, 32\] is not'),
    ({'image_topics': tuple(f'/c{k}/image' for k in range(65))}, 'at most 64 cameras'),
    ({'cpu_threads': 5000}, r'in \[0, 1024\]'),
    ({'max_pixels': 0}, r'in \[1, 1000000000\]'),
    ({'max_age_s': 1e300}, r'in \[0, 1000000\]'),
])
def test_parameters_have_upper_bounds(values, said):
    with pytest.raises(ValueError, match=said) as caught:
        NodeConfig(**values)
    assert len(str(caught.value)) < 300


def test_the_default_takes_the_largest_cameras():
    assert MAX_PIXELS >= 7680 * 4320
    assert 7680 * 4320 <= NodeConfig().max_pixels <= MAX_PIXELS
    assert make_tiny_network()
