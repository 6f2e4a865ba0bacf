"""The demo as a user runs it: short and with tiny weights, and once as it comes."""

from __future__ import annotations

import json
from pathlib import Path
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from forecast_detector.annotate import VideoWriter  # noqa: E402
from forecast_detector.bags import BagReader, BagWriter  # noqa: E402
from forecast_detector.bags.messages import default_typestore, IMAGE, make_header  # noqa: E402
from forecast_detector.data.synthetic import SyntheticWorld  # noqa: E402
from forecast_detector.demo.processes import read_live  # noqa: E402
from forecast_detector.demo.source import bikes  # noqa: E402
from forecast_detector.demo.summary import counted, read_numbers  # noqa: E402
from forecast_detector.types import Action  # noqa: E402

FRAMES = 24


def demo(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, '-m', 'forecast_detector', 'demo', *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def test_the_demo_leaves_bag_video_and_summary(tiny_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    done = demo(
        '--source', 'synthetic', '--frames', str(FRAMES), '--weights', str(tiny_weights),
        '--p', '1', '--out', str(out),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('running on') == 1  # which device, and why
    summary = json.loads((out / 'summary.json').read_text())
    assert (summary['source'], summary['p'], summary['frames']) == ('synthetic', 1.0, FRAMES)
    assert summary['read'] + summary['forecast'] + summary['dropped'] == FRAMES
    assert summary['read'] > 0 and summary['forecast'] == 0
    assert summary['map50'] is not None and summary['agreement50'] is None
    assert summary['latency_ms']['read']['p50'] > 0
    with BagReader(out / 'bag') as bag:
        counts = {topic: bag.count(topic) for topic in bag.topics}
        images = {time_ns for time_ns, _ in bag.messages('/camera/image_raw')}
        decisions = {time_ns for time_ns, _ in bag.messages('/camera/decision')}
    assert counts['/camera/image_raw'] == counts['/camera/truth'] == FRAMES
    assert counts['/camera/detections'] == counts['/camera/decision'] == summary['read']
    assert decisions <= images
    video = cv2.VideoCapture(str(out / 'annotated.mp4'))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == summary['read']


def test_missing_weights_are_one_line(tmp_path: Path) -> None:
    done = demo('--source', 'synthetic', '--weights', 'nowhere', '--out', str(tmp_path / 'out'))
    assert done.returncode == 1
    assert "no file 'nowhere'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is CUDA here')
def test_a_missing_device_is_named_before_anything_is_started(tmp_path: Path) -> None:
    done = demo('--device', 'cuda', '--out', str(tmp_path / 'out'))
    assert done.returncode == 1
    assert 'cuda' in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / 'out').exists()


def test_the_synthetic_demo_reads_forecasts_and_finds_objects(tmp_path: Path) -> None:
    # Slowly: a busy machine may be slow, too.
    done = demo('--source', 'synthetic', '--rate', '8', '--out', str(tmp_path))
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert (summary['source'], summary['weights']) == ('synthetic', 'synthetic')
    assert summary['frames'] >= 100
    assert summary['read'] > 0 and summary['forecast'] > 0
    assert summary['map50'] >= 0.4


def test_a_bag_that_the_detector_refuses_is_a_failure(tiny_weights: Path, tmp_path: Path) -> None:
    bag = tmp_path / 'bag'
    with BagWriter(bag) as writer:
        for stamp_ns in range(10**9, 2 * 10**9, 2 * 10**8):
            depth = default_typestore().types[IMAGE](
                header=make_header(stamp_ns, 'lens'), height=24, width=32, encoding='32FC1',
                is_bigendian=0, step=128, data=np.zeros(24 * 128, np.uint8),
            )
            writer.write('/depth/image', IMAGE, depth, stamp_ns)
    done = demo('--bag', str(bag), '--weights', str(tiny_weights), '--out', str(tmp_path / 'out'))
    assert done.returncode == 1
    assert 'answered none of 5 images' in done.stderr
    assert '32FC1' in done.stderr  # the detector's own words


def film(path: Path, frames: int) -> Path:
    """Write a video in which the weights of the synthetic world find something; it may loop."""
    drawn = min(frames, 24)
    world = SyntheticWorld(5, drawn, (256, 192))
    pictures = [world.read(index) for index in range(drawn)]
    with VideoWriter(path, 10.0) as writer:
        for index in range(frames):
            writer.write(pictures[index % drawn])
    return path


def record(path: Path, frames: int) -> Path:
    """Write a bag of the same."""
    world = SyntheticWorld(5, frames, (256, 192))
    with BagWriter(path) as writer:
        for index in range(frames):
            stamp_ns, pixels = 10**9 + index * 10**8, world.read(index)
            image = default_typestore().types[IMAGE](
                header=make_header(stamp_ns, 'lens'), height=192, width=256, encoding='rgb8',
                is_bigendian=0, step=768, data=pixels.reshape(-1),
            )
            writer.write('/cam/image_raw', IMAGE, image, stamp_ns)
    return path


def red_frames(path: Path) -> list[bool]:
    """Say of each frame of a video whether it is framed in red."""
    video, found = cv2.VideoCapture(str(path)), []
    while (shot := video.read())[0]:
        blue, _, red = shot[1][1:3, 100:-100].reshape(-1, 3).mean(axis=0)
        found.append(bool(red > 150 > blue))
    return found


def test_a_video_is_compared_with_reading_every_frame(tmp_path: Path) -> None:
    clip, out = film(tmp_path / 'clip.mp4', 12), tmp_path / 'out'
    done = demo('--video', str(clip), '--weights', 'synthetic', '--p', '1', '--rate', '5',
                '--out', str(out))
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / 'summary.json').read_text())
    assert (summary['source'], summary['frames']) == (str(clip), 12)
    assert summary['map50'] is None and summary['forecast'] == 0
    # Reading agrees with itself; features hang on the frames before, of which some may be lost.
    assert summary['agreement50'] >= (0.5 if summary['dropped'] else 0.9999)
    assert not any(red_frames(out / 'annotated.mp4'))


def test_a_bag_is_compared_and_its_forecasts_are_framed_in_red(tmp_path: Path) -> None:
    bag, out = record(tmp_path / 'bag', 16), tmp_path / 'out'
    done = demo('--bag', str(bag), '--weights', 'synthetic', '--p', '0.5', '--rate', '5',
                '--out', str(out))
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / 'summary.json').read_text())
    assert (summary['source'], summary['frames']) == (str(bag), 16)
    assert summary['forecast'] > 0 and 0 < summary['agreement50'] <= 1
    actions = [answer['action'] for answer in read_numbers(out / 'numbers.json')['answers']]
    assert red_frames(out / 'annotated.mp4') == [a == Action.FORECAST for a in actions]


def test_a_comparison_that_nobody_wants_is_not_made(tiny_weights: Path, tmp_path: Path) -> None:
    clip, out = film(tmp_path / 'clip.mp4', 4), tmp_path / 'out'
    done = demo('--video', str(clip), '--weights', str(tiny_weights), '--no-agreement',
                '--out', str(out))
    assert done.returncode == 0, done.stderr
    assert json.loads((out / 'summary.json').read_text())['agreement50'] is None


def test_the_default_demo_plays_street_scenes_with_coco(tmp_path: Path) -> None:
    try:
        bikes()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    done = demo('--frames', '60', '--rate', '6', '--out', str(tmp_path))
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert (summary['source'], summary['weights'], summary['frames']) == ('bikes', 'coco', 60)
    assert summary['read'] > 0 and summary['forecast'] > 0
    assert 0 < summary['agreement50'] <= 1 and summary['map50'] is None


# A video in the place of a camera: what counts is that it does not end by itself.
CAMERA = """
from pathlib import Path
import sys
from forecast_detector.demo import show
from forecast_detector.demo.show import run, Show
from forecast_detector.demo.source import Source
show.KEPT_ANSWERS = 2
clip, weights, out = map(Path, sys.argv[1:])
source = Source('camera', str(clip), 10.0, ends=False)
print(run(Show(source, weights, out, 1.0, 10.0), print, print))
"""


def test_an_interrupt_ends_a_camera_and_loses_nothing(tiny_weights: Path, tmp_path: Path) -> None:
    # Long enough that a busy machine does not come to its end.
    clip, out = film(tmp_path / 'clip.mp4', 2400), tmp_path / 'out'
    out.mkdir()
    words = [sys.executable, '-c', CAMERA, str(clip), str(tiny_weights), str(out)]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True,
        # What a shell runs in the background, as these tests may be, ignores it otherwise.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end_s = time.monotonic() + 120
    try:
        while read_live(out / 'live.json').get('answers', 0) < 3 and time.monotonic() < end_s:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode == 0 and said.splitlines()[-1] == str(out / 'numbers.json')
    numbers = read_numbers(out / 'numbers.json')
    assert 3 <= numbers['images'] < 2400
    video = cv2.VideoCapture(str(out / 'annotated.mp4'))
    counts = counted(numbers)
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == counts.answers >= 3
    assert len(numbers['answers']) == 2  # the last ones
