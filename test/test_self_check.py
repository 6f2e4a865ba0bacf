"""What `self-check` says, and whether its status can be trusted."""

import pytest

from forecast_detector.cli import self_check
from forecast_detector.cli.main import main

GOOD = {
    'topic': '/front/image_raw', 'type': 'sensor_msgs/msg/Image', 'publishers': 1,
    'reliability': 'reliable', 'images': '640x480 rgb8', 'received': 60, 'rate_hz': 29.97,
    'age_s': 0.02, 'stamped': True, 'usable': True, 'bad': 0, 'why': '',
}
DEPTH = {
    **GOOD, 'topic': '/depth/image_raw', 'usable': False, 'bad': 60,
    'why': "encoding '32FC1' is a depth or measurement image",
}
GRAPH = {
    'distribution': 'kilted', 'middleware': 'rmw_fastrtps_cpp', 'domain': 7, 'cameras': [GOOD],
    'left_out': 0, 'detectors': ['/detector'],
}


def with_graph(monkeypatch, graph):
    monkeypatch.setattr(self_check, 'require_ros', lambda: None)
    monkeypatch.setattr(self_check, 'survey', lambda seconds: graph)


def check(capsys, weights):
    status = main(['self-check', '--weights', str(weights), '--device', 'cpu'])
    lines = capsys.readouterr().out.splitlines()
    return status, [line for line in lines if line.startswith('!')], lines


def test_all_is_well(monkeypatch, capsys, tiny_weights):
    with_graph(monkeypatch, GRAPH)
    status, troubles, lines = check(capsys, tiny_weights)
    assert (status, troubles) == (0, [])
    assert len(lines) == 10 and lines[-1].endswith('all is well')
    text = '\n'.join(lines)
    for part in ('sha256', 'running on the CPU, as asked', 'READ', '/detector runs',
                 '/front/image_raw  Image, reliable, 640x480 rgb8, 30.0 Hz, 20 ms old'):
        assert part in text


def test_missing_weights_are_a_trouble_and_the_rest_is_checked(monkeypatch, capsys, tmp_path):
    with_graph(monkeypatch, GRAPH)
    status, troubles, lines = check(capsys, tmp_path / 'none.safetensors')
    assert status == 1 and len(troubles) == 1 and 'no file' in troubles[0]
    assert any('/front/image_raw' in line for line in lines)


def test_damaged_weights_are_named_once(monkeypatch, capsys, tmp_path):
    path = tmp_path / 'damaged.safetensors'
    path.write_bytes(b'no weights')
    with_graph(monkeypatch, GRAPH)
    status, (trouble,), _ = check(capsys, path)
    assert status == 1 and trouble.count(str(path)) == 1


@pytest.mark.parametrize(('cameras', 'expected', 'verdict'), [
    ([DEPTH], 1, 'one trouble; no camera sends images that it could use'),
    ([DEPTH, {**DEPTH, 'received': 0}], 1, 'no camera sends images that it could use'),
    ([DEPTH, GOOD], 0, 'one trouble; the detector runs, and has images that it can use'),
    ([{**GOOD, 'publishers': 2}], 0, 'the detector runs, and has images that it can use'),
])
def test_one_camera_that_can_be_used_is_enough(
    monkeypatch, capsys, tiny_weights, cameras, expected, verdict
):
    with_graph(monkeypatch, {**GRAPH, 'cameras': cameras})
    status, troubles, lines = check(capsys, tiny_weights)
    assert status == expected and lines[-1].endswith(verdict) and troubles


def test_two_detectors_of_one_name_are_a_trouble_with_the_remedy():
    line = self_check.detectors_line(['/detector', '/detector', '/other'])
    assert '/detector' in line.trouble and '__node:=' in line.trouble
    assert '/other' not in line.trouble
    assert not self_check.detectors_line(['/detector', '/other']).trouble


def test_stamps_of_zero_are_no_trouble_without_a_limit_on_age():
    line = self_check.camera_line({**GOOD, 'stamped': False, 'age_s': 1.7e9})
    assert not line.trouble and 'stamps are 0 (leave max_age_s at 0)' in line.text


def test_without_ros_and_without_cameras(monkeypatch, capsys, tiny_weights):
    with_graph(monkeypatch, {**GRAPH, 'cameras': []})
    status, (trouble,), _ = check(capsys, tiny_weights)
    assert status == 1 and 'ROS_DOMAIN_ID' in trouble

    def missing():
        raise RuntimeError('ROS 2 is not complete here')

    monkeypatch.setattr(self_check, 'require_ros', missing)
    status, (trouble,), _ = check(capsys, tiny_weights)
    assert status == 1 and 'ROS 2 is not complete here' in trouble


def test_a_graph_that_does_not_answer_is_named(monkeypatch, capsys, tiny_weights):
    with_graph(monkeypatch, GRAPH)

    def silent(seconds):
        raise RuntimeError('no answer within 63 s')

    monkeypatch.setattr(self_check, 'survey', silent)
    status, (trouble,), _ = check(capsys, tiny_weights)
    assert status == 1 and 'no answer within 63 s' in trouble


@pytest.mark.parametrize(('changes', 'words'), [
    ({'received': 0, 'rate_hz': None, 'age_s': None}, 'sends no images'),
    ({'age_s': 1.7e9}, 'behind the clock'),
    ({'age_s': -30.0}, '30.0 s ahead of the clock'),
    ({'publishers': 2}, '2 publish on it'),
    ({'usable': False, 'bad': 60, 'why': 'encoding 32FC1'}, 'cannot be used: encoding 32FC1'),
    ({'bad': 2, 'why': 'step is 10 bytes'}, '2 of 60 cannot be used: step is 10 bytes'),
])
def test_a_camera_in_trouble_says_what_to_do(changes, words):
    line = self_check.camera_line({**GOOD, **changes})
    assert words in str(line) and line.trouble and str(line).startswith('! camera')
    assert not self_check.camera_line(GOOD).trouble
