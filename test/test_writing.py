"""A full disk loses nothing that was written, and is named once."""

import json
from pathlib import Path
import resource
import signal
import subprocess
import sys

from conftest import make_tiny_network
import cv2
import numpy as np
import pytest

from forecast_detector import records
from forecast_detector.bags import BagReader
from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.cli.main import main

ROOT = Path(__file__).parents[1]
HEAD = """
import resource, signal, sys
from pathlib import Path
import numpy as np
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
"""


@pytest.fixture
def full():
    """Let no file of this process grow beyond a few bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_results_stay_as_they_were(tmp_path, full):
    path = tmp_path / 'run.json'
    records.write(path, {'a': 1})
    before = path.read_text()
    said = r'run\.json: cannot be written \(File too large\)'
    with pytest.raises(OSError, match=said) as caught:
        records.write(path, {'a': 'x' * 1000})
    assert str(caught.value).count('run.json') == 1
    assert path.read_text() == before
    assert [one.name for one in tmp_path.iterdir()] == ['run.json']


def test_weights_stay_as_they_were(tmp_path, tiny_weights, full):
    path = tmp_path / 'mine.safetensors'
    path.symlink_to(tiny_weights)
    with pytest.raises(OSError, match=r'mine\.safetensors: cannot be written'):
        save_checkpoint(path, make_tiny_network())
    assert load_checkpoint(path).sha256 == load_checkpoint(tiny_weights).sha256
    assert [one.name for one in tmp_path.iterdir()] == ['mine.safetensors']


@pytest.mark.parametrize('kilobytes', [3000, 13_830])
def test_a_bag_is_read_as_far_as_it_is_whole(tmp_path, kilobytes):
    program = HEAD + f"""
from forecast_detector.bags import BagWriter
resource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes}000, resource.RLIM_INFINITY))
try:
    with BagWriter({str(tmp_path / 'bag')!r}) as bag:
        for k in range(60):
            bag.image('/c/image_raw', np.full((240, 320, 3), k, np.uint8), 10 ** 9 * (k + 1))
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                          timeout=100, cwd=ROOT)
    said, = done.stdout.splitlines()
    assert 'cannot be written (File too large)' in said and said.count(str(tmp_path)) == 1
    assert done.stderr == ''
    with BagReader(tmp_path / 'bag') as bag:
        found = list(bag.records(list(bag.topics)))
        assert len(found) >= kilobytes * 1000 // (240 * 320 * 3) - 6
        assert 'no metadata.yaml' in bag.missing


def test_a_good_bag_has_its_metadata_and_nothing_else(tmp_path):
    from forecast_detector.bags import BagWriter

    for storage in ('mcap', 'sqlite3'):
        with BagWriter(tmp_path / storage, storage) as bag:
            bag.write('/t', 'std_msgs/msg/Header', _header(), 1)
        names = sorted(one.suffix for one in (tmp_path / storage).iterdir())
        assert names == sorted(['.yaml', '.mcap' if storage == 'mcap' else '.db3'])


def _header():
    from forecast_detector.bags.messages import make_header

    return make_header(1, 'lens')


@pytest.mark.parametrize(('video_bytes', 'has_json'), [(15_000, True), (100, False)])
def test_a_video_that_cannot_be_finished_costs_no_detections(
    tmp_path, tiny_weights, capsys, full, video_bytes, has_json
):
    source, video, found = (tmp_path / name for name in ('a.mp4', 'out.mp4', 'out.json'))
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    draw = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter_fourcc(*'mp4v'), 25, (320, 240))
    for _ in range(12):
        writer.write(draw.integers(0, 256, (240, 320, 3), np.uint8))
    writer.release()
    resource.setrlimit(resource.RLIMIT_FSIZE, (video_bytes, most))
    status = main(['detect', str(source), '--weights', str(tiny_weights), '--device', 'cpu',
                   '--score-threshold', '1', '--video', str(video), '--json', str(found)])
    said = capsys.readouterr().err.splitlines()[-1]
    assert status == 1 and 'out.mp4: 12 frames were written and none can be played' in said
    assert not video.exists()
    assert found.exists() == has_json and ('out.json: cannot be written' in said) != has_json
    if has_json:
        assert len(json.loads(found.read_text())['frames']) == 12
