"""A video that is played keeps the distances of its own stamps, and ends where it ends."""

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from matroska import jpegs, matroska  # noqa: E402
import numpy as np  # noqa: E402

from forecast_detector.graph import playback  # noqa: E402
from forecast_detector.graph.playback import delayed, open_source  # noqa: E402

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


class Camera:
    """In place of OpenCV's: two blue images, then it is pulled out."""

    def __init__(self):
        self.left, self.is_released = 2, False

    def read(self):
        self.left -= 1
        if self.left < 0:
            return False, None
        return True, np.full((4, 6, 3), (200, 0, 0), np.uint8)

    def release(self):
        self.is_released = True


def test_a_camera_plays_until_it_gives_no_more_images(monkeypatch):
    camera = Camera()
    monkeypatch.setattr(playback, 'open_camera', lambda path: camera)
    shots = open_source('/dev/video0', 'lens', 0, 0.0, 0, '').shots(2 * 10 ** 9)
    first, second = next(shots), next(shots)
    assert (first.image.width, first.image.height, first.image.encoding) == (6, 4, 'rgb8')
    assert list(first.image.data[:3]) == [0, 0, 200] and first.truth is None
    assert 0 <= first.after_s <= second.after_s
    for shot in (first, second):
        stamp = shot.image.header.stamp
        assert stamp.sec + stamp.nanosec / 1e9 == pytest.approx(2 + shot.after_s)
    with pytest.raises(OSError, match='/dev/video0: the camera gives no image'):
        next(shots)
    assert camera.is_released


def test_a_camera_is_not_played_at_another_rate():
    with pytest.raises(ValueError, match='rate_hz: 5, but /dev/video0 has its own rate'):
        open_source('/dev/video0', 'lens', 0, 5.0, 0, '')


def test_stamps_of_a_late_image_keep_up_with_time():
    shots = open_source('synthetic', 'lens', 3, 10.0, 0, '').shots(5_000_000_000)
    first, second, _ = (next(shots), next(shots), next(shots))
    before = second.image.header.stamp
    assert (before.sec, before.nanosec) == (5, 100_000_000)
    late = delayed(second, 2.5)
    stamps = [late.image.header.stamp, late.truth.header.stamp,
              *(one.header.stamp for one in late.truth.detections)]
    assert {(stamp.sec, stamp.nanosec) for stamp in stamps} == {(7, 600_000_000)}
    assert first.image.header.stamp.sec == 5


def test_long_worlds_have_scenes_of_one_length():
    """Drawing a scene, and its memory, would grow with the play's length."""
    played = (open_source('synthetic', 'lens', frames, 10.0, 0, '') for frames in (700, 900))
    first, second = (next(one.shots(0)) for one in played)
    assert first.image.data == second.image.data
