"""The demo as a user runs it: short and with tiny weights, and once as it comes."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from forecast_detector.bags import BagReader, BagWriter  # noqa: E402
from forecast_detector.bags.messages import default_typestore, IMAGE, make_header  # noqa: E402

FRAMES = 24


def demo(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, '-m', 'forecast_detector', 'demo', *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def test_the_demo_leaves_bag_video_and_summary(tiny_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    done = demo(
        '--frames', str(FRAMES), '--weights', str(tiny_weights), '--p', '1', '--out', str(out)
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('running on') == 1  # which device, and why
    summary = json.loads((out / 'summary.json').read_text())
    assert (summary['source'], summary['p'], summary['frames']) == ('synthetic', 1.0, FRAMES)
    assert summary['read'] + summary['forecast'] + summary['dropped'] == FRAMES
    assert summary['read'] > 0 and summary['forecast'] == 0
    assert summary['map50'] is not None and summary['latency_ms']['read']['p50'] > 0
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
    done = demo('--weights', 'nowhere', '--out', str(tmp_path / 'out'))
    assert done.returncode == 1
    assert "no file 'nowhere'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is CUDA here')
def test_a_missing_device_is_named_before_anything_is_started(tmp_path: Path) -> None:
    done = demo('--device', 'cuda', '--out', str(tmp_path / 'out'))
    assert done.returncode == 1
    assert 'cuda' in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / 'out').exists()


def test_the_default_demo_reads_forecasts_and_finds_objects(tmp_path: Path) -> None:
    done = demo('--rate', '8', '--out', str(tmp_path))  # slowly: a busy machine may be slow, too
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
