"""When the next image is expected."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from forecast_detector.ros.expected import NextStamp  # noqa: E402


def test_it_goes_by_the_usual_distance() -> None:
    expected = NextStamp()
    assert expected.after(100) is None
    assert [expected.after(stamp) for stamp in (110, 121, 131, 161)] == [120, 131, 141, 171]


def test_stamps_that_go_back_or_stand_still_say_nothing() -> None:
    expected = NextStamp()
    for stamp in (100, 110):
        expected.after(stamp)
    assert expected.after(50) is None
    assert expected.after(50) is None
    assert expected.after(57) == 64
