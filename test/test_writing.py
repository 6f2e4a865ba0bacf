"""A full disk loses nothing that was written, and is named once."""

from pathlib import Path
import resource
import signal
import subprocess
import sys

from conftest import make_tiny_network
import pytest

from forecast_detector import records
from forecast_detector.bags import BagReader
from forecast_detector.checkpoint import load_checkpoint, save_checkpoint

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
