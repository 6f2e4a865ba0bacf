"""What is known of the detector node without ROS."""

from __future__ import annotations

import pytest

from forecast_detector.node import NodeConfig
from forecast_detector.parameter import describe


@pytest.mark.parametrize('size', [(100, 96), (0, 96), (96,), (-32, 32)])
def test_an_input_size_off_the_grid_is_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match='multiples of 32'):
        NodeConfig(input_size=size)


def test_input_size_and_resize_of_zero_and_nothing_mean_the_trained_ones() -> None:
    trained = NodeConfig()
    assert (trained.given_size, trained.given_resize) == (None, None)
    other = NodeConfig(input_size=(192, 256), resize='stretch')
    assert (other.given_size, other.given_resize) == ((192, 256), 'stretch')
    with pytest.raises(ValueError, match='letterbox'):
        NodeConfig(resize='crop')


def test_every_setting_is_a_parameter() -> None:
    assert list(describe(NodeConfig)) == list(vars(NodeConfig()))
