"""The detector node as its users meet it: two raw cameras and a compressed one."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
import numpy as np  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from vision_msgs.msg import LabelInfo  # noqa: E402

from forecast_detector.msg import ForecastDecision  # noqa: E402

from .conftest import LABELS  # noqa: E402
from .graph import Camera, Graph, make_image, wait_until  # noqa: E402

READ, FORECAST = ForecastDecision.READ, ForecastDecision.FORECAST
TOPICS = ['/front/image_raw', '/rear/image_raw', '/side/image_raw/compressed']


@pytest.fixture(scope='module')
def rear(graph: Graph) -> Camera:
    """Made before the front camera, so that its first answer is not missed."""
    rear = Camera(graph, TOPICS[1], QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT))
    rear.stamp_ns += 50_000_000  # no stamp in common with the front camera
    return rear


@pytest.fixture(scope='module')
def front(graph: Graph, rear: Camera, tiny_weights: Path) -> Camera:
    graph.detector(
        weights=str(tiny_weights),
        image_topics=TOPICS,
        p=1.0,
        score_threshold=0.0,
        max_detections=300,
        max_gap_s=0.0,
    )
    camera = Camera(graph, TOPICS[0])
    camera.wait_for_detector()
    return camera


def test_the_header_of_the_image_comes_back(front: Camera) -> None:
    image = front.next_image()
    detections, decision = front.ask(image)
    assert detections.header == image.header
    assert decision.header == image.header
    assert detections.detections
    assert all(d.header == image.header for d in detections.detections)


def test_boxes_are_in_image_pixels_and_classes_are_names(front: Camera) -> None:
    detections, _ = front.ask(front.next_image(size=(200, 150)))
    for detection in detections.detections:
        box, best = detection.bbox, detection.results[0].hypothesis
        assert best.class_id in LABELS and 0 <= best.score <= 1
        x, y = box.center.position.x, box.center.position.y
        assert 0 <= x - box.size_x / 2 <= x + box.size_x / 2 <= 200 + 1e-3
        assert 0 <= y - box.size_y / 2 <= y + box.size_y / 2 <= 150 + 1e-3
    assert max(d.bbox.center.position.x for d in detections.detections) > 96


def test_nothing_seen_is_an_empty_array(graph: Graph, front: Camera) -> None:
    assert graph.set(score_threshold=1.0)[0].successful
    detections, _ = front.ask()
    assert detections.detections == []
    assert graph.set(score_threshold=0.0)[0].successful


def test_p_takes_effect_at_the_next_frame(graph: Graph, front: Camera) -> None:
    _, before = front.ask()
    assert (before.action, before.threshold) == (READ, 1.0)
    for p, action in ((0, FORECAST), (1, READ), (0.0, FORECAST), (1.0, READ)):
        assert graph.set(p=p)[0].successful  # whole numbers too: `ros2 param set /detector p 0`
        _, decision = front.ask()
        assert (decision.action, decision.threshold) == (action, float(p))
        assert decision.reason == ForecastDecision.SCHEDULER


def test_a_forecast_tells_where_its_features_come_from(graph: Graph, front: Camera) -> None:
    _, read = front.ask()
    assert (read.frames_since_read, read.last_read_stamp) == (0, read.header.stamp)
    graph.set(p=0.0)
    forecasts = [front.ask()[1] for _ in range(3)]
    graph.set(p=1.0)
    assert [f.frames_since_read for f in forecasts] == [1, 2, 3]
    assert all(f.last_read_stamp == read.header.stamp for f in forecasts)


def test_limit_and_policy_are_dynamic(graph: Graph, front: Camera) -> None:
    graph.set(p=0.0, max_consecutive_forecasts=1)
    front.ask()
    reasons = {front.ask()[1].reason for _ in range(4)}
    assert reasons == {ForecastDecision.SCHEDULER, ForecastDecision.LIMIT}
    graph.set(p=1.0, max_consecutive_forecasts=0, policy='alternate', read_every=2)
    decisions = [front.ask()[1] for _ in range(4)]
    graph.set(policy='scheduler')
    assert sum(d.action for d in decisions) == 2
    assert {d.reason for d in decisions} == {ForecastDecision.POLICY}


def test_boxes_are_carried_between_reads(graph: Graph, front: Camera) -> None:
    front.ask()
    graph.set(policy='flow', read_every=3)
    answers = [front.ask() for _ in range(5)]
    graph.set(policy='scheduler')
    back = front.ask()[1]
    decisions = [decision for _, decision in answers]
    assert [d.action for d in decisions] == [READ, FORECAST, FORECAST, READ, FORECAST]
    assert decisions[0].reason == back.reason == ForecastDecision.RESET
    assert decisions[0].reason_detail == "policy changed from 'scheduler' to 'flow'"
    assert {d.reason_detail for d in decisions[1:]} == {'policy flow, every 3'}
    read, *carried = (
        [box.results[0].hypothesis.score for box in found.detections] for found, _ in answers[:3])
    # Doubt lowers scores, and raises none.
    assert read and all(max(scores) <= max(read) for scores in carried if scores)
    assert all(len(scores) <= len(read) for scores in carried)


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('p', 1.5, 'p: 1.5 is not a number in [0, 1]'),
        ('p', -1, 'p'),
        ('nms_iou', float('nan'), 'nms_iou'),
        ('policy', 'sometimes', 'one of auto, scheduler, read, alternate'),
        ('read_every', 0, 'read_every'),
        ('p', 'high', 'p: "high" is a text; expected a number'),
        ('image_topics', '/other', 'such as image_topics: ["/other"]'),
        ('score_treshold', 0.5, 'did you mean score_threshold?'),
        ('autostart', False, 'read-only'),
        ('lossless', True, 'read-only'),
        ('weights', 'other', 'read when the node is configured'),
    ],
)
def test_a_bad_value_is_refused_with_a_reason(
    graph: Graph, front: Camera, name: str, value: object, reason: str
) -> None:
    (result,) = graph.set(**{name: value})
    assert not result.successful
    assert reason in result.reason


def test_a_bad_image_is_skipped_and_the_next_one_is_not(front: Camera) -> None:
    def broken(**changes: object) -> int:
        image = front.next_image()
        for name, value in changes.items():
            setattr(image, name, value)
        return front.send(image)

    bad = [
        broken(width=0),
        broken(step=7),
        broken(data=array('B', [1, 2, 3])),
        broken(encoding='sepia9'),
        broken(encoding='32FC1'),
    ]
    front.ask()
    assert not set(bad) & (set(front.detections) | set(front.decisions))


def test_padding_at_the_end_of_rows_is_skipped(front: Camera) -> None:
    image = front.next_image()
    plain, _ = front.ask(image)
    rows = np.frombuffer(image.data, np.uint8).reshape(48, 192)
    padded = front.next_image()
    padded.step = 200
    padded.data = array('B', np.pad(rows, ((0, 0), (0, 8)), constant_values=255).tobytes())
    same, decision = front.ask(padded)
    assert decision.action == READ
    assert len(same.detections) == len(plain.detections)


def test_a_changed_size_resets_with_its_reason(front: Camera) -> None:
    front.ask()
    _, decision = front.ask(front.next_image(size=(80, 48)))
    assert (decision.action, decision.reason) == (READ, ForecastDecision.RESET)
    assert 'size' in decision.reason_detail
    front.ask()


def test_a_stamp_that_goes_back_resets(front: Camera) -> None:
    front.ask()
    _, decision = front.ask(make_image(front.stamp_ns - 550_000_000))
    assert decision.reason == ForecastDecision.RESET
    assert 'back' in decision.reason_detail


def test_the_reset_service_resets(graph: Graph, front: Camera) -> None:
    front.ask()
    answer = graph.call(Trigger, '/detector/reset', Trigger.Request())
    assert answer.success and TOPICS[0] in answer.message
    _, decision = front.ask()
    assert decision.reason == ForecastDecision.RESET
    assert front.ask()[1].reason == ForecastDecision.SCHEDULER


def test_label_info_is_latched_and_follows_the_threshold(graph: Graph, front: Camera) -> None:
    heard: list[LabelInfo] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    graph.node.create_subscription(LabelInfo, '/label_info', heard.append, latched)
    info = wait_until(lambda: heard and heard[-1], 'the latched label_info')
    assert [(c.class_id, c.class_name) for c in info.class_map] == list(enumerate(LABELS))
    graph.set(score_threshold=0.25)
    wait_until(lambda: heard[-1].threshold == 0.25, 'label_info with the new threshold')
    graph.set(score_threshold=0.0)


def test_each_camera_is_a_stream_of_its_own(graph: Graph, front: Camera, rear: Camera) -> None:
    rear.wait_for_detector()
    first = rear.decisions[min(rear.decisions)]
    assert first.reason == ForecastDecision.FIRST_FRAME
    front.ask()
    graph.set(p=0.0)
    last = {camera: camera.knock() for camera in (front, rear)}
    graph.set(p=1.0)
    assert [c.decisions[s].action for c, s in last.items()] == [FORECAST, FORECAST]
    assert not set(rear.decisions) & set(front.decisions)  # nobody hears the other's answers


def test_a_compressed_topic_answers_beside_the_raw_one(graph: Graph, front: Camera) -> None:
    side = Camera(graph, TOPICS[2])
    side.wait_for_detector()
    image = side.next_image()
    detections, decision = side.ask(image)
    assert detections.header == decision.header == image.header
    cut = side.next_image()
    cut.data = cut.data[: len(cut.data) // 2]
    stamp_ns = side.send(cut)
    side.ask()
    assert stamp_ns not in side.decisions


def test_diagnostics_count_per_camera(graph: Graph, front: Camera) -> None:
    arrays: list[DiagnosticArray] = []
    graph.node.create_subscription(DiagnosticArray, '/diagnostics', arrays.append, 10)
    front.ask()

    def settled() -> dict[str, str]:
        """Give the newest figures if no image is on its way through the node."""
        named = {s.name: s for s in arrays[-1].status} if arrays else {}
        status = named.get(f'/detector: {TOPICS[0]}')
        figures = {v.key: v.value for v in status.values} if status else {}
        ends = ('processed', 'dropped', 'stale', 'bad')
        is_settled = figures and int(figures['received']) == sum(int(figures[e]) for e in ends)
        return figures if is_settled else {}

    found = wait_until(settled, 'diagnostics of the front camera that add up')
    assert int(found['processed']) >= 1
    assert {'rate_hz', 'latency_ms_p50', 'read_share', 'p'} <= set(found)
    wait_until(
        lambda: any(
            TOPICS[1] in s.message and s.level == DiagnosticStatus.WARN
            for a in list(arrays)
            for s in a.status
        ),
        'a warning that names the silent camera',
    )


def test_deactivated_it_is_silent_and_activated_it_goes_on(graph: Graph, front: Camera) -> None:
    front.ask()
    assert graph.change('deactivate')
    assert graph.state() == 'inactive'
    ignored = front.send()
    assert graph.change('activate')
    wait_until(front._publisher.get_subscription_count, 'the subscription')
    front.wait_for_detector()
    assert ignored not in front.decisions
    resumed = front.decisions[min(s for s in front.order if s > ignored)]
    assert resumed.reason == ForecastDecision.RESET
    assert 'deactivated' in resumed.reason_detail
