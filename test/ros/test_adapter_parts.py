"""Parts of the ROS adapter by themselves: parameters, names, mailbox, conversions."""

from __future__ import annotations

from pathlib import Path
import re
from threading import Thread

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from rclpy.parameter import Parameter  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from forecast_detector.config import StreamConfig  # noqa: E402
from forecast_detector.node import NodeConfig  # noqa: E402
from forecast_detector.parameter import build, plain  # noqa: E402
from forecast_detector.ros import conversions, cost, parameters  # noqa: E402
from forecast_detector.ros.mailbox import Mailbox  # noqa: E402
from forecast_detector.ros.parameters import PARAMETERS  # noqa: E402
from forecast_detector.topics import beside, camera_topics  # noqa: E402
from forecast_detector.types import (  # noqa: E402
    Action,
    BadFrameError,
    Decision,
    Detections,
    Reason,
)

from .graph import make_image  # noqa: E402

DEFAULTS = {name: plain(parameter.default) for name, parameter in PARAMETERS.items()}


def test_descriptors_say_what_the_fields_say() -> None:
    p, policy, every, weights = (
        parameters.descriptor(PARAMETERS[name])
        for name in ('p', 'policy', 'read_every', 'weights')
    )
    assert p.description.startswith(PARAMETERS['p'].help)
    assert p.description.endswith(' Takes effect at the next frame.')
    (reach,) = p.floating_point_range
    assert (reach.from_value, reach.to_value, p.read_only) == (0.0, 1.0, False)
    (reach,) = every.integer_range
    assert (reach.from_value, reach.to_value) == (1, 1_000_000)
    assert policy.additional_constraints == (
        'one of auto, scheduler, read, alternate, flow, scheduled_flow')
    assert weights.description.endswith('when the node is configured.') and not weights.read_only
    fixed = {name for name in PARAMETERS if parameters.descriptor(PARAMETERS[name]).read_only}
    assert fixed == {'autostart', 'lossless'}


def test_parameters_give_the_configurations_back() -> None:
    assert build(StreamConfig, DEFAULTS) == StreamConfig()
    assert build(NodeConfig, DEFAULTS) == NodeConfig()
    assert DEFAULTS.keys() == {**vars(StreamConfig()), **vars(NodeConfig())}.keys()


def test_whole_numbers_are_taken_for_fractions_only() -> None:
    taken = parameters.with_fractions([Parameter('p', value=1), Parameter('read_every', value=3)])
    assert [(t.value, t.type_) for t in taken] == [
        (1.0, Parameter.Type.DOUBLE), (3, Parameter.Type.INTEGER)
    ]


def test_what_is_read_on_configure_is_refused_later() -> None:
    values = DEFAULTS
    assert parameters.why_refused({'weights': 'x'}, values, configured=False) == ''
    assert 'cleanup' in parameters.why_refused({'weights': 'x'}, values, configured=True)
    same = {'weights': values['weights'], 'image_topics': tuple(values['image_topics'])}
    assert parameters.why_refused(same, values, configured=True) == ''


@pytest.mark.parametrize(
    ('image', 'result'),
    [
        ('/cam/image_raw', '/cam/detections'),
        ('/cam/image_raw/compressed', '/cam/detections'),
        ('/a/b/c/image', '/a/b/c/detections'),
        ('/image_raw', '/detections'),
        ('image_raw', 'detections'),
    ],
)
def test_results_are_named_beside_the_images(image: str, result: str) -> None:
    assert beside(image, 'detections') == result


def test_a_target_is_not_taken_for_one_of_another_kind() -> None:
    values = DEFAULTS | {'budget': 'latency', 'budget_target': 30.0}
    for changes in (
        {'budget': 'none'}, {'budget': 'latency'}, {'budget': 'rate', 'budget_target': 20.0},
        {'budget_target': 40.0}, {'p': 0.5},
    ):
        assert not parameters.why_refused(changes, values, configured=True)
    said = parameters.why_refused({'budget': 'rate'}, values, configured=True)
    assert 'the budget_target of 30 is that of latency; set budget none' in said
    values |= {'budget': 'read_share', 'budget_target': 0.2}
    refused = parameters.why_refused({'budget_target': 30.0}, values, configured=True)
    assert 'set budget: none first' in refused


def test_the_budgets_of_the_docs_can_be_set_in_their_order() -> None:
    text = (Path(__file__).parents[2] / 'docs/node.md').read_text()
    lines = re.findall(r'^ros2 param set /detector (budget\w*) (\S+)', text, re.MULTILINE)
    kinds = {value for name, value in lines if name == 'budget'}
    assert kinds >= {'read_share', 'latency', 'rate'}
    values = dict(DEFAULTS)
    for name, value in lines:
        change = {name: float(value) if name == 'budget_target' else value}
        assert not parameters.why_refused(change, values, configured=True)
        values |= change


@pytest.mark.parametrize('topics', [
    ['/cam/left', '/cam/right'],
    ['/cam/image_raw', '/cam/image_raw/compressed'],
])
def test_results_of_one_name_are_refused(topics: list[str]) -> None:
    with pytest.raises(ValueError, match='would both publish /cam/detections') as caught:
        camera_topics(topics)
    assert all(topic in str(caught.value) for topic in topics)


def test_a_camera_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match='/cam/image_raw is named twice'):
        camera_topics(['image', '/cam/image_raw'], lambda topic: '/cam/image_raw')
    with pytest.raises(ValueError, match='/cam/image_raw is named twice'):
        camera_topics(['/cam/image_raw', '/cam/image_raw'])


@pytest.mark.parametrize('topics', [[], [''], [' '], ['/cam/image_raw', '\t'], ['', '']])
def test_no_topic_is_refused(topics: list[str]) -> None:
    with pytest.raises(ValueError, match='names no topic'):
        camera_topics(topics)


def test_remapped_topics_lead_the_results() -> None:
    camera, = camera_topics(['image'], {'image': '/front/image_raw'}.__getitem__)
    assert (camera.subscribed, camera.detections) == ('image', '/front/detections')


def test_a_live_mailbox_keeps_the_newest() -> None:
    box: Mailbox[int] = Mailbox(['a', 'b'])
    box.open()
    for item in (1, 2, 3):
        box.put('a', item)
    box.put('b', 9)
    assert box.take() == {'a': 3, 'b': 9}
    assert box.counters['a'].dropped == 2 and box.counters['b'].dropped == 0


def test_a_lossless_mailbox_makes_the_sender_wait() -> None:
    box: Mailbox[int] = Mailbox(['a'], lossless=True, capacity=2)
    box.open()
    sender = Thread(target=lambda: [box.put('a', item) for item in range(20)])
    sender.start()
    assert [box.take()['a'] for _ in range(20)] == list(range(20))
    sender.join()
    assert box.counters['a'].dropped == 0


def test_a_lossless_mailbox_gives_one_frame_at_a_time_in_the_order_of_coming() -> None:
    box: Mailbox[int] = Mailbox(['a', 'b'], lossless=True)
    box.open()
    for camera, frame in (('b', 1), ('a', 2), ('a', 3), ('b', 4)):
        box.put(camera, frame)
    assert [box.take() for _ in range(4)] == [{'b': 1}, {'a': 2}, {'a': 3}, {'b': 4}]
    box.put('a', 5)
    box.close()
    assert box.take() == {}


def test_a_closed_mailbox_wakes_whoever_waits_and_takes_nothing() -> None:
    box: Mailbox[int] = Mailbox(['a'], lossless=True, capacity=1)
    box.open()
    box.put('a', 1)
    sender = Thread(target=box.put, args=('a', 2))
    sender.start()
    box.close()
    sender.join()
    assert box.take() == {}
    assert box.counters['a'].dropped == 2


def test_detections_become_centre_and_size_with_names() -> None:
    found = Detections(
        np.array([[10, 20, 30, 60]], np.float32), np.array([0.75], np.float32), np.array([1])
    )
    header = Header(frame_id='lens')
    detection, = conversions.detections_message(header, found, ('bolt', 'nut')).detections
    box = detection.bbox
    assert (box.center.position.x, box.center.position.y) == (20, 40)
    assert (box.size_x, box.size_y) == (20, 40)
    assert detection.results[0].hypothesis.class_id == 'nut'
    assert detection.results[0].hypothesis.score == 0.75


def test_a_decision_keeps_every_figure() -> None:
    stamp_ns = 12_000_000_034
    decision = Decision(Action.FORECAST, Reason.SCHEDULER, 0.25, 'why', 0.5, 3, stamp_ns, 7.5)
    message = conversions.decision_message(Header(), decision)
    assert (message.action, message.reason, message.reason_detail) == (1, 1, 'why')
    assert (message.threshold, message.confidence, message.inference_ms) == (0.25, 0.5, 7.5)
    assert message.frames_since_read == 3
    assert (message.last_read_stamp.sec, message.last_read_stamp.nanosec) == (12, 34)


def test_an_image_is_checked_at_once_and_decoded_late() -> None:
    image = make_image(5_000_000_007)
    frame = conversions.frame_from_message(image)
    assert (frame.stamp_ns, frame.size, frame.frame_id) == (5_000_000_007, (64, 48), 'lens')
    assert frame.load().tobytes() == image.data.tobytes()
    image.step = 1
    with pytest.raises(BadFrameError, match='step'):
        conversions.frame_from_message(image)


def test_a_huge_frame_id_which_each_detection_would_repeat_is_refused() -> None:
    conversions.frame_from_message(make_image(1, frame_id='x' * 1000))
    with pytest.raises(BadFrameError, match='frame_id has 1001 letters'):
        conversions.frame_from_message(make_image(1, frame_id='x' * 1001))


@pytest.mark.parametrize(
    ('encoding', 'channels'),
    [('rgb8', 3), ('bgr8', 3), ('rgba8', 4), ('bgra8', 4), ('mono8', 1)],
)
def test_pixels_are_those_that_cv_bridge_gives(encoding: str, channels: int) -> None:
    cv_bridge = pytest.importorskip('cv_bridge', reason='cv_bridge is not installed')
    shape = (6, 8, channels) if channels > 1 else (6, 8)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    message = cv_bridge.CvBridge().cv2_to_imgmsg(pixels, encoding)
    ours = conversions.frame_from_message(message).load()
    theirs = cv_bridge.CvBridge().imgmsg_to_cv2(message, 'rgb8')
    assert (ours == theirs).all()


def test_an_objects_number_is_its_id() -> None:
    boxes = np.array([[0, 0, 4, 4], [8, 8, 9, 9]], np.float32)
    scores, classes = np.array([0.5, 0.4], np.float32), np.array([0, 1])
    labels = ('bolt', 'nut')
    plain_ = conversions.detections_message(Header(), Detections(boxes, scores, classes), labels)
    assert [one.id for one in plain_.detections] == ['', '']
    followed = Detections(boxes, scores, classes, np.array([12, 3]))
    message = conversions.detections_message(Header(), followed, labels)
    assert [one.id for one in message.detections] == ['12', '3']


def test_what_a_message_costs_is_one_figure_for_both_actions() -> None:
    record = cost.measure(3)
    assert record.message.count == 3 and record.message.least > 0
