"""A video that is played keeps the distances of its own stamps, and ends where it ends."""

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from matroska import jpegs, matroska  # noqa: E402

from forecast_detector.graph.playback import open_source  # noqa: E402

STAMPS_MS = [0, 33, 500, 510, 4000]


def play(tmp_path, rate_hz=0.0):
    """Play a video of variable rate whose container claims a million frames."""
    path = tmp_path / 'a.mkv'
    path.write_bytes(matroska(jpegs(5), STAMPS_MS, duration_ms=4e7))
    return list(open_source(str(path), 'camera', 0, rate_hz, 0, '').shots(2 * 10 ** 9))


def test_a_video_is_played_by_its_stamps(tmp_path):
    shots = play(tmp_path)
    assert [round(shot.after_s * 1000) for shot in shots] == STAMPS_MS
    assert [shot.image.header.stamp.sec for shot in shots] == [2, 2, 2, 2, 6]
    assert shots[2].image.header.stamp.nanosec == 500_000_000


def test_a_rate_goes_before_the_stamps(tmp_path):
    assert [shot.after_s for shot in play(tmp_path, 10.0)] == [0, 0.1, 0.2, 0.3, 0.4]
