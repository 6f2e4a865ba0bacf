"""Video files whose containers claim what is not so: frames, rates, stamps, codecs, sizes."""

import json
import os
import pickle
import subprocess
import sys
import wave

import cv2
from matroska import jpegs, matroska
import numpy as np
import pytest
from video_samples import GREYS, QUARTER, turn, write_video

from forecast_detector.cli.detect import open_clip
from forecast_detector.cli.main import main
from forecast_detector.data import video as module
from forecast_detector.data.capture import VideoFaultError
from forecast_detector.data.stamps import Stamps
from forecast_detector.data.video import VideoClip, VideoEndError, VideoReader
from forecast_detector.types import BadFrameError

EVEN = [40 * k for k in range(10)]
VARIABLE = [0, 33, 67, 100, 300, 500, 700, 1700, 1701, 9000]


def write(path, stamps_ms=VARIABLE, **claims):
    path.write_bytes(matroska(jpegs(len(stamps_ms)), stamps_ms, **claims))
    return path


def grey(image):
    """Tell which of the frames this is, which get brighter by 20."""
    return round(float(image.mean()) / 20)


def stamps_ms(clip):
    return [clip.stamp_ns(k) / 1e6 for k in range(len(clip))]


@pytest.fixture
def opened(monkeypatch):
    """Count how often files are opened, and how many frames are looked for."""
    counts = {'open': 0, 'grab': 0}

    def counting(name, call):
        def count(*args):
            counts[name] += 1
            return call(*args)
        return count
    monkeypatch.setattr(module, 'open_capture', counting('open', module.open_capture))
    monkeypatch.setattr(module, 'grab', counting('grab', module.grab))
    return counts


@pytest.mark.parametrize('claims', [
    {}, {'live': True}, {'duration_ms': 9040}, {'duration_ms': 1e9}, {'duration_ms': 1.0},
    {'duration_ms': 2.0 ** 62}, {'duration_ms': -1e9}, {'duration_ms': float('nan')},
    {'duration_ms': 0.0}, {'duration_ms': 9040, 'frame_ms': 33.3}, {'frame_ms': 1.0},
])
def test_frames_and_stamps_are_those_that_are_there(tmp_path, claims):
    clip = VideoClip(write(tmp_path / 'a.mkv', **claims))
    assert len(clip) == 10 and list(clip.walk()) == list(range(10))
    assert stamps_ms(clip) == VARIABLE
    assert [grey(clip.read(k)) for k in (0, 9, 4, 5)] == [0, 9, 4, 5]
    assert 0 < clip.fps <= 1000 and clip.lacks is None
    assert clip.expected is None or 0 < clip.expected < 2 ** 31


@pytest.mark.parametrize(('name', 'code'), [
    ('a.mp4', 'mp4v'), ('a.avi', 'MJPG'), ('a.mkv', 'mp4v'), ('a.webm', 'VP80'),
    ('a.ts', 'mp4v'), ('a.mpg', 'mpg2'), ('a.m4v', 'mp4v'),
])
def test_every_container_gives_its_frames_and_stamps(tmp_path, name, code):
    writer = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter_fourcc(*code), 25, (64, 48))
    if not writer.isOpened():
        pytest.skip(f'this OpenCV does not write {name}')
    for k in range(10):
        writer.write(np.full((48, 64, 3), 20 * k, np.uint8))
    writer.release()
    clip = VideoClip(tmp_path / name)
    assert (len(clip), clip.fps, clip.size) == (10, 25.0, (64, 48))
    assert stamps_ms(clip) == EVEN
    assert [grey(clip.read(k)) for k in (9, 0, 5)] == [9, 0, 5]


@pytest.mark.parametrize('name', ['a.mjpeg', 'a.mjpg', 'camera.dump', 'no_suffix'])
def test_a_dump_of_jpegs_has_the_frames_that_are_in_it(tmp_path, name):
    (tmp_path / name).write_bytes(b''.join(jpegs(10)))
    clip = open_clip(str(tmp_path / name), None)
    assert len(clip) == 10 and [grey(clip.read(k)) for k in (0, 9, 3)] == [0, 9, 3]
    assert clip.fps == 25.0 and stamps_ms(clip) == EVEN


def test_a_rate_that_is_the_unit_of_a_clock_is_measured(tmp_path):
    assert VideoClip(write(tmp_path / 'a.mkv', EVEN, frame_ms=1.0)).fps == pytest.approx(25)
    assert VideoClip(write(tmp_path / 'b.mkv', EVEN, frame_ms=40.0)).fps == pytest.approx(25)


def test_a_video_is_read_once_from_front_to_back(tmp_path, opened):
    clip = VideoClip(write(tmp_path / 'a.mkv', duration_ms=1e7))
    for k in clip.walk():
        assert clip.stamp_ns(k) == VARIABLE[k] * 1_000_000 and grey(clip.read(k)) == k
    assert len(clip) == 10
    assert opened == {'open': 1, 'grab': 11}


def test_counting_goes_on_where_reading_stopped(tmp_path, opened):
    clip = VideoClip(write(tmp_path / 'a.mkv'))
    clip.read(6)
    assert len(clip) == len(clip) == 10
    assert opened == {'open': 1, 'grab': 11}
    assert grey(clip.read(2)) == 2 and opened['open'] == 2
    assert stamps_ms(clip) == VARIABLE and opened['open'] == 2


def test_frames_behind_the_end_cost_nothing(tmp_path, opened):
    reader = VideoReader(write(tmp_path / 'a.mkv', duration_ms=1e7))
    for k in range(10, 500):
        with pytest.raises(VideoEndError, match=f'frame {k} asked for, .* after 10 frames$'):
            reader.read(k)
        with pytest.raises(VideoEndError, match=f'frame {k} '):
            reader.stamp_ns(k)
    assert opened == {'open': 1, 'grab': 11}
    assert grey(reader.read(3)) == 3


def test_a_copy_knows_what_was_found(tmp_path, opened):
    reader = VideoReader(write(tmp_path / 'a.mkv'))
    assert reader.count() == 10
    copy = pickle.loads(pickle.dumps(reader))
    assert copy.count() == 10 and copy.stamp_ns(9) == 9_000_000_000
    assert opened['open'] == 1
    assert grey(copy.read(5)) == 5


def test_a_fault_comes_back_from_a_worker_as_it_was(tmp_path):
    reader = VideoReader(write(tmp_path / 'a.mkv'))
    with pytest.raises(VideoEndError) as caught:
        reader.read(10)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (type(error), str(error)) == (VideoEndError, str(caught.value))
    assert (error.path, error.count) == (tmp_path / 'a.mkv', 10)


NONE = -9.2e18


@pytest.mark.parametrize(('fps', 'given', 'expected'), [
    (25, [0, 40, 80, 120], [0, 40, 80, 120]),
    (25, [0, 33, 500, 501], [0, 33, 500, 501]),
    (25, [0, 0, 0, 0], [0, 40, 80, 120]),
    (25, [NONE] * 4, [0, 40, 80, 120]),
    (25, [NONE, NONE + 40, NONE + 80], [0, 40, 80]),
    (25, [float('nan'), float('inf'), 1e300], [0, 40, 80]),
    (25, [700, 740, 780], [700, 740, 780]),
    (25, [0, 40, 35, 120], [0, 40, 80, 120]),
    (25, [0, 40, NONE, 120, 0], [0, 40, 80, 120, 160]),
    (25, [0, 2000, 4000, 0, 2000, 5000], [0, 2000, 4000, 4040, 6040, 9040]),
    (25, [0, 40, 2500, 1100, 2560, 1140, 2600], [0, 40, 2500, 2540, 2560, 2600, 2640]),
    (30, [0] * 4, [0, 33.333333, 66.666667, 100]),
])
def test_stamps_are_the_containers_and_rise(fps, given, expected):
    stamps = Stamps(fps)
    for value in given:
        stamps.add(value)
    assert [ns / 1e6 for ns in stamps.values_ns] == expected


def test_stamps_by_number_do_not_drift():
    stamps = Stamps(29.97)
    for _ in range(1000):
        stamps.add(0.0)
    assert list(stamps.values_ns) == [round(k * 1e9 / 29.97) for k in range(1000)]


@pytest.mark.parametrize(('name', 'data', 'message'), [
    ('empty.mp4', b'', r'is empty \(0 bytes\)'),
    ('text.mp4', b'not a video', 'not a video that OpenCV can open.*convert'),
    ('a.mp4', b'\0\0\0\x14ftypisom\0\0\2\0isom\0\0\0\x08mdat', 'without its index .moov.'),
    ('a.heic', b'\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'a still picture .HEIF. .*to JPEG or PNG'),
    ('a.gif', b'GIF89a' + bytes(50), 'a still picture .GIF.'),
    ('a.mp3', b'ID3\3\0\0\0\0\0\0', 'no video in it'),
    ('a.mkv', matroska([b'ab'], [0], codec=b'A_OPUS'), 'no video in it'),
    ('b.mkv', matroska(jpegs(2), [0, 40], codec=b'V_MPEGI/ISO/VVC'), 'VVC, H.266'),
    ('c.mkv', matroska(jpegs(2), [0, 40], codec=b'V_UNHEARD'), "codec, .*'V_UNHEARD'"),
], ids=lambda value: value if isinstance(value, str) else '')
def test_what_is_no_video_is_named_for_what_it_is(tmp_path, capfd, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(VideoFaultError, match=message) as caught:
        VideoClip(tmp_path / name)
    assert name in str(caught.value) and capfd.readouterr().err == ''


def test_sound_only_is_named(tmp_path):
    with wave.open(str(tmp_path / 'a.wav'), 'wb') as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(8000))
    with pytest.raises(BadFrameError, match=r'a\.wav: no video in it, sound at the most'):
        VideoClip(tmp_path / 'a.wav')


@pytest.mark.parametrize('code', [b'vvc1', b'zzzz'])
def test_an_mp4_of_an_unknown_codec_names_it(tmp_path, code):
    write_video(tmp_path / 'a.mp4')
    data = (tmp_path / 'a.mp4').read_bytes()
    at = data.index(b'mp4v', data.index(b'stsd'))
    data = data[:at] + code + data[at + 4:].replace(b'esds', b'free')
    (tmp_path / 'a.mp4').write_bytes(data)
    with pytest.raises(VideoFaultError, match=code.decode()) as caught:
        VideoClip(tmp_path / 'a.mp4')
    assert 'ffmpeg -i a.mp4' in str(caught.value)


@pytest.mark.parametrize(('codec', 'name'), [
    (b'V_AV1', 'AV1'), (b'V_MPEGH/ISO/HEVC', 'HEVC'), (b'V_VP9', 'VP9'),
])
def test_a_codec_that_gives_no_frame_is_named_on_one_line(tmp_path, codec, name):
    frames = [bytes([k]) * 50 for k in range(125)]
    data = matroska(frames, range(0, 5000, 40), codec=codec, duration_ms=5000)
    (tmp_path / 'a.mkv').write_bytes(data)
    done = subprocess.run(
        [sys.executable, '-m', 'forecast_detector', 'detect', 'a.mkv', '--weights', 'synthetic',
         '--json', 'o.json'], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if 'torch sees' not in line]
    assert len(lines) == 1 and name in lines[0] and 'ffmpeg -i a.mkv' in lines[0]
    assert not (tmp_path / 'o.json').exists()


def test_the_users_own_setting_for_the_decoders_log_goes_first(tmp_path):
    script = 'import forecast_detector.data.video, os; print(os.environ[{!r}])'
    name = 'OPENCV_FFMPEG_LOGLEVEL'
    bare = {key: value for key, value in os.environ.items() if key != name}
    bare['PYTHONPATH'] = os.pathsep.join(sys.path)
    for env, level in ((bare, '-8'), ({**bare, name: '32'}, '32')):
        assert subprocess.run([sys.executable, '-c', script.format(name)], env=env, text=True,
                              capture_output=True, check=True).stdout.strip() == level


@pytest.mark.parametrize('name', ['a.avi', 'a.mkv', 'a.webm'])
def test_a_file_that_was_cut_is_read_to_its_end_and_says_so(tmp_path, name):
    code = {'a.avi': 'MJPG', 'a.mkv': 'MJPG', 'a.webm': 'VP80'}[name]
    writer = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter_fourcc(*code), 25, (64, 48))
    noise = np.random.default_rng(0)
    for _ in range(60):
        writer.write(noise.integers(0, 255, (48, 64, 3), np.uint8))
    writer.release()
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:len(data) * 2 // 3])
    clip = VideoClip(tmp_path / name)
    count = len(list(clip.walk()))
    assert 20 < count < 50
    assert f'{len(data) - len(data) * 2 // 3} bytes are missing' in str(clip.lacks)
    with pytest.raises(VideoEndError, match='cut off'):
        clip.read(count)


def test_a_hole_in_the_middle_costs_only_the_frames_in_it(tmp_path):
    write_video(tmp_path / 'a.mp4', [20 * (k % 10) for k in range(100)])
    data = bytearray((tmp_path / 'a.mp4').read_bytes())
    begin = data.index(b'mdat')
    sizes = data.index(b'moov') - begin
    data[begin + sizes // 3:begin + sizes // 2] = bytes(sizes // 2 - sizes // 3)
    (tmp_path / 'a.mp4').write_bytes(data)
    clip = VideoClip(tmp_path / 'a.mp4')
    stamps = [clip.stamp_ns(k) // 1_000_000 for k in clip.walk()]
    assert 60 <= len(stamps) < 100 and stamps[-1] == 3960
    assert 'counts 100 frames' in str(clip.lacks) and f'{len(stamps)} could' in str(clip.lacks)


HALF = (-65536, 0, 0, 0, -65536, 0, 64 << 16, 48 << 16, 1 << 30)


def write_corner(path):
    """Write a video that is dark but for its upper left quarter."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (64, 48))
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32] = 200
    for _ in range(3):
        writer.write(image)
    writer.release()


def bright(image):
    """Name the quarter that is bright: (row, column)."""
    height, width = image.shape[:2]
    means = image[..., 0].reshape(2, height // 2, 2, width // 2).mean(axis=(1, 3))
    return tuple(int(v) for v in np.unravel_index(means.argmax(), (2, 2)))


@pytest.mark.parametrize(('matrix', 'size', 'corner'), [
    (None, (64, 48), (0, 0)), (QUARTER, (48, 64), (0, 1)), (HALF, (64, 48), (1, 1)),
])
def test_pictures_are_upright_and_their_size_is_that_of_info(tmp_path, matrix, size, corner):
    write_corner(tmp_path / 'a.mp4')
    if matrix:
        turn(tmp_path / 'a.mp4', matrix)
    clip = VideoClip(tmp_path / 'a.mp4')
    for k in range(3):
        image = clip.read(k)
        assert clip.reader.info()[2] == clip.size == size == (image.shape[1], image.shape[0])
        assert bright(image) == corner


def test_pictures_are_turned_as_the_annotations_have_them(tmp_path):
    write_corner(tmp_path / 'a.mp4')
    turn(tmp_path / 'a.mp4', QUARTER)
    for size, corner in (((48, 64), (0, 1)), ((64, 48), (0, 0))):
        reader = VideoReader(tmp_path / 'a.mp4')
        reader.fit(size)
        image = pickle.loads(pickle.dumps(reader)).read(0)
        assert image.shape[:2] == size[::-1] and bright(image) == corner
    with pytest.raises(VideoFaultError, match='48x64, the annotations say 640x480'):
        VideoReader(tmp_path / 'a.mp4').fit((640, 480))


def test_some_rows_more_than_annotated_do_no_harm(tmp_path):
    write_video(tmp_path / 'a.mp4')
    VideoReader(tmp_path / 'a.mp4').fit((64, 45))
    with pytest.raises(VideoFaultError, match='64x48, the annotations say 32x24'):
        VideoReader(tmp_path / 'a.mp4').fit((32, 24))


def test_a_picture_is_a_clip_of_one_frame(tmp_path):
    for suffix in ('.png', '.jpg', '.bmp'):
        path = tmp_path / f'img_0001{suffix}'
        cv2.imwrite(str(path), np.full((48, 64, 3), 100, np.uint8))
        cv2.imwrite(str(tmp_path / f'img_0002{suffix}'), np.full((48, 64, 3), 200, np.uint8))
        clip = open_clip(str(path), None)
        assert len(clip) == 1 and abs(int(clip.read(0)[0, 0, 0]) - 100) < 3
        assert not clip.truth(0).annotated


def test_pictures_of_a_folder_are_the_frames_of_one_camera(tmp_path, capsys):
    folder = tmp_path / 'shots'
    folder.mkdir()
    for k in (2, 0, 1, 3):
        cv2.imwrite(str(folder / f'{k:03}.png'), np.full((48, 64, 3), GREYS[k], np.uint8))
    (folder / '001.png').write_text('no picture')
    (folder / 'notes.txt').write_text('')
    clip = open_clip(str(folder), None)
    assert [grey(clip.read(k)) for k in (0, 2, 3)] == [0, 2, 3]
    assert main(['detect', str(folder), '--weights', 'synthetic', '--p', '1', '--json', '-']) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert [row['index'] for row in found['frames']] == [0, 2, 3] and found['skipped'] == 1
    assert '001.png' in said.err and 'passed over' in said.err
    assert {row['reason'] for row in found['frames'][1:]} == {'SCHEDULER'}  # one stream
    assert main(['detect', str(folder), '--topic', '/a']) == 2
    with pytest.raises((ValueError, OSError), match='an empty folder'):
        (tmp_path / 'nothing').mkdir()
        open_clip(str(tmp_path / 'nothing'), None)


@pytest.mark.parametrize('data', [b'no picture', b'GIF89a' + bytes(50),
                                  b'\0\0\0\x18ftypheic\0\0\0\0mif1heic'])
def test_what_is_named_as_a_picture_and_is_none_is_not_blamed_on_a_codec(tmp_path, data):
    (tmp_path / 'a.jpg').write_bytes(data)
    with pytest.raises(BadFrameError, match='a.jpg: cannot be decoded.*expected JPEG or PNG'):
        open_clip(str(tmp_path / 'a.jpg'), None).read(0)


def test_a_video_with_the_name_of_a_picture_is_a_video(tmp_path):
    write_video(tmp_path / 'a.mp4', [0, 20, 40])
    (tmp_path / 'a.mp4').rename(tmp_path / 'a.jpg')
    assert len(open_clip(str(tmp_path / 'a.jpg'), None)) == 3


def test_detect_reads_to_the_end_and_keeps_the_stamps(tmp_path, capsys):
    path = write(tmp_path / 'a.mkv', duration_ms=1e7)
    assert main(['detect', str(path), '--weights', 'synthetic', '--video', str(tmp_path / 'o.mp4'),
                 '--json', '-']) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)['frames']
    assert [row['stamp_ns'] / 1e6 for row in rows] == VARIABLE
    assert 'passed over' not in said.err and 'truncated' not in said.err
    assert VideoReader(tmp_path / 'o.mp4').count() == 10
