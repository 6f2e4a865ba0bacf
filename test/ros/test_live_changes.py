"""While the detector runs: cameras come and go, one has its own p, READs, overlays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TYPE_CHECKING

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rcl_interfaces.srv import GetParameters, ListParameters  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from vision_msgs.msg import Detection2DArray  # noqa: E402

from forecast_detector.types import Reason  # noqa: E402

from .conftest import LABELS  # noqa: E402
from .graph import Camera, wait_until  # noqa: E402

if TYPE_CHECKING:
    from .graph import Graph

READ, FORECAST = 0, 1
TOPICS = ['/front/image_raw', '/robot/rear/image_raw']


@pytest.fixture(scope='module')
def peek_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small network that peeks."""
    import torch

    from forecast_detector.checkpoint import save_checkpoint
    from forecast_detector.config import ModelConfig
    from forecast_detector.model.network import ForecastNetwork

    torch.manual_seed(0)
    config = ModelConfig(
        LABELS, backbone='mobilenet_v2', feature_channels=32, lstm_channels=16,
        input_size=(96, 96), extra_channels=(32, 32, 32, 32), scheduler_channels=(8, 8), peek=4,
    )
    path = tmp_path_factory.mktemp('weights') / 'peek.safetensors'
    save_checkpoint(path, ForecastNetwork(config).eval(), {'licence': 'none'})
    return path


@pytest.fixture(scope='module')
def cameras(graph: Graph, peek_weights: Path) -> tuple[Camera, Camera]:
    graph.detector(
        weights=str(peek_weights), image_topics=TOPICS, p=0.0, score_threshold=0.0,
        max_detections=5, max_gap_s=0.0,
    )
    made = Camera(graph, TOPICS[0]), Camera(graph, TOPICS[1])
    made[1].stamp_ns += 50_000_000  # no stamp in common
    for camera in made:
        camera.wait_for_detector()
    return made


@pytest.fixture
def front(cameras: tuple[Camera, Camera]) -> Camera:
    return cameras[0]


@pytest.fixture
def rear(cameras: tuple[Camera, Camera]) -> Camera:
    return cameras[1]


@pytest.fixture(scope='module')
def chat(graph: Graph, cameras: tuple[Camera, Camera]) -> Any:
    """A publisher of no images, which the detector knows of."""
    publisher = graph.node.create_publisher(String, '/chat/image_raw', 10)

    def is_refused() -> bool:  # and taken as long as nobody is known to publish on it
        (result,) = graph.set(image_topics=[*TOPICS, '/chat/image_raw'])
        return not result.successful or not graph.set(image_topics=TOPICS)[0].successful

    wait_until(is_refused, 'the detector to know the publisher')
    return publisher


def trigger(graph: Graph, service: str) -> str:
    answer = graph.call(Trigger, service, Trigger.Request())
    assert answer.success
    return str(answer.message)


def test_a_read_of_one_camera_or_of_all(graph: Graph, front: Camera, rear: Camera) -> None:
    for camera in (front, rear):
        camera.ask()
    assert TOPICS[1] in trigger(graph, '/detector/robot/rear/force_read')
    assert [c.ask()[1].action for c in (front, rear)] == [FORECAST, READ]
    said = trigger(graph, '/detector/force_read')
    assert all(topic in said for topic in TOPICS)
    decisions = [c.ask()[1] for c in (front, rear)]
    assert [d.action for d in decisions] == [READ, READ]
    assert {d.reason for d in decisions} == {int(Reason.REQUEST)}
    assert [c.ask()[1].action for c in (front, rear)] == [FORECAST, FORECAST]


def test_one_camera_is_reset(graph: Graph, front: Camera, rear: Camera) -> None:
    trigger(graph, '/detector/front/reset')
    assert [c.ask()[1].reason for c in (front, rear)] == [int(Reason.RESET), int(Reason.SCHEDULER)]


def test_numbers_of_objects_are_published(front: Camera) -> None:
    first, second = (front.ask()[0].detections for _ in range(2))
    assert first and all(int(one.id) > 0 for one in [*first, *second])
    assert len({one.id for one in second}) == len(second)


def test_a_camera_may_have_a_p_of_its_own(graph: Graph, front: Camera, rear: Camera) -> None:
    (result,) = graph.set(**{'cameras.front.p': 1})
    assert result.successful
    decisions = [c.ask()[1] for c in (front, rear)]
    assert [(d.action, d.threshold) for d in decisions] == [(READ, 1.0), (FORECAST, 0.0)]
    graph.set(**{'cameras.robot/rear.score_threshold': 1.0})
    assert not rear.ask()[0].detections and front.ask()[0].detections
    for name in ('cameras.front.p', 'cameras.robot/rear.score_threshold'):
        assert graph.set(**{name: None})[0].successful  # as `ros2 param delete`
    # Under a budget p is kept for later, but not one that is deleted.
    graph.set(**{'cameras.front.p': 1.0})
    graph.set(budget='read_share')
    assert 'is kept' in graph.set(**{'cameras.front.p': 0.5})[0].reason
    assert not graph.set(**{'cameras.front.p': None})[0].reason
    graph.set(budget='none')
    assert front.ask()[1].action == FORECAST and rear.ask()[0].detections


@pytest.mark.parametrize(('name', 'value', 'reason'), [
    ('cameras.front.p', 1.5, 'cameras.front.p: p: 1.5 is not a number in [0, 1]'),
    ('cameras.front.p', 'high', 'expected a number'),
    ('cameras.nose.p', 0.5, 'there is no parameter cameras.nose.p'),
    ('image_topics', ['/a b'], 'is no name of a topic'),
    ('image_topics', ['/front/image_raw', '/front/image_rect'], 'would both publish'),
    ('image_topics', ['/diagnostics'], '/diagnostics send diagnostic_msgs/msg/DiagnosticArray, '),
    ('image_topics', ['/chat/image_raw'], '/chat/image_raw send std_msgs/msg/String, which is no'),
    ('image_topics', ['/front/image_raw', '/front/overlay'], 'would both publish'),
    ('image_topics', ['/front/overlay'], 'this node publishes its own results; name the topic'),
    ('image_topics', ['/front/overlay/compressed'], 'publishes its own results'),
    ('image_topics', ['/front/surprise'], 'such as /front/image_raw'),
    ('image_topics', ['/front/detections'], 'publishes its own results'),
    ('image_topics', ['/label_info'], 'publishes its own results'),
])
def test_what_cannot_be_is_refused(
    graph: Graph, front: Camera, chat: Any, name: str, value: Any, reason: str
) -> None:
    (result,) = graph.set(**{name: value})
    assert not result.successful and reason in result.reason
    front.ask()
    request = GetParameters.Request(names=['image_topics'])
    answer = graph.call(GetParameters, '/detector/get_parameters', request)
    assert list(answer.values[0].string_array_value) == TOPICS


def names(graph: Graph) -> list[str]:
    answer = graph.call(ListParameters, '/detector/list_parameters', ListParameters.Request())
    return [name for name in answer.result.names if name.startswith('cameras.')]


def test_cameras_come_and_go(graph: Graph, front: Camera, rear: Camera) -> None:
    side = Camera(graph, '/side/image_raw/compressed')
    before = front.ask()[1]
    assert graph.set(image_topics=[TOPICS[0], '/side/image_raw/compressed'])[0].successful
    side.wait_for_detector()
    assert side.decisions[min(side.decisions)].reason == int(Reason.FIRST_FRAME)
    after = front.ask()[1]
    assert after.action == FORECAST  # it was not disturbed
    assert after.last_read_stamp == before.last_read_stamp
    wait_until(lambda: not rear._publisher.get_subscription_count(), 'the end of the rear camera')
    assert any('side' in name for name in names(graph))
    assert not any('rear' in name for name in names(graph))
    assert graph.set(image_topics=TOPICS)[0].successful
    rear.wait_for_detector()
    stamps = sorted(rear.decisions)
    assert Reason(rear.decisions[stamps[-1]].reason) in (Reason.FIRST_FRAME, Reason.SCHEDULER)
    wait_until(lambda: not side._publisher.get_subscription_count(), 'the end of the side camera')


def hear(graph: Graph, kind: type, topic: str) -> tuple[list[Any], Callable[[], None]]:
    heard: list[Any] = []
    subscription = graph.node.create_subscription(kind, topic, heard.append, 10)
    wait_until(lambda: graph.node.count_publishers(topic), f'a publisher of {topic}')
    return heard, lambda: graph.node.destroy_subscription(subscription)


def drawn_for(camera: Camera, heard: list[Any]) -> Any:
    """Ask until a picture comes; what was asked before the subscription was known is not drawn."""

    def one() -> Any:
        camera.ask()
        return heard and heard[-1]

    return wait_until(one, 'a picture')


def pixels(image: Any) -> np.ndarray:
    if isinstance(image, CompressedImage):
        assert image.format == 'rgb8; jpeg compressed bgr8'
        return cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert image.encoding == 'rgb8'
    return np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 3)


@pytest.mark.parametrize(('kind', 'topic'), [
    (Image, '/front/overlay'), (CompressedImage, '/front/overlay/compressed'),
])
def test_forecasts_are_framed_in_red(graph: Graph, front: Camera, kind: type, topic: str) -> None:
    heard, stop = hear(graph, kind, topic)
    front.ask()
    forecast = drawn_for(front, heard)
    edge = pixels(forecast)[0].astype(int)
    assert edge.shape == (64, 3) and edge[:, 0].min() > edge[:, 1].max() + 60
    stamp_ns = forecast.header.stamp.sec * 10**9 + forecast.header.stamp.nanosec
    assert forecast.header == front.decisions[stamp_ns].header
    trigger(graph, '/detector/front/force_read')
    front.ask()
    read = wait_until(
        lambda: heard[-1].header == front.decisions[front.order[-1]].header and heard[-1],
        'the picture of the READ')
    assert pixels(read)[0].astype(int).min() < 60  # noise, no frame
    stop()


def test_surprise_is_drawn_over_the_image(graph: Graph, front: Camera) -> None:
    heard, stop = hear(graph, Image, '/front/surprise')
    picture = pixels(drawn_for(front, heard))
    assert picture.shape == (48, 64, 3)
    stop()


def test_diagnostics_say_what_runs_and_how(graph: Graph, front: Camera, rear: Camera) -> None:
    arrays: list[DiagnosticArray] = []
    graph.node.create_subscription(DiagnosticArray, '/diagnostics', arrays.append, 10)
    for camera in (front, rear, front, rear):
        camera.ask()

    def values(name: str) -> dict[str, str]:
        named = {s.name: s for s in arrays[-1].status} if arrays else {}
        return {v.key: v.value for v in named[name].values} if name in named else {}

    node = wait_until(lambda: values('/detector'), 'diagnostics of the node')
    assert node['device'] == 'cpu' and 'CPU' in node['device_note']
    assert node['cameras'] == '2' and 0 <= float(node['read_share']) <= 1
    assert len(node['weights_sha256']) == 64 and node['weights'].endswith('peek.safetensors')
    one = wait_until(lambda: values(f'/detector: {TOPICS[0]}'), 'diagnostics of a camera')
    assert {'image_age_ms', 'image_age_ms_p95', 'since_answer_s', 'frames_since_read'} <= set(one)


def test_the_next_image_is_anticipated_at_its_time(graph: Graph, front: Camera) -> None:
    heard, stop = hear(graph, Detection2DArray, '/front/anticipated_detections')
    front.ask()
    front.ask()
    assert not heard  # off unless asked for
    assert graph.set(anticipate=True)[0].successful
    drawn_for(front, heard)
    graph.set(anticipate=False)
    ahead = heard[-1]
    assert ns(ahead) - 100_000_000 in front.order  # images of this camera are so far apart
    assert ahead.header.frame_id == 'lens' and ahead.detections
    assert all(one.id == '' for one in ahead.detections)
    stop()


def ns(message: Any) -> int:
    return int(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)


def test_a_budget_moves_p_and_says_so(graph: Graph, front: Camera) -> None:
    assert graph.set(budget_target=0.5)[0].successful
    assert graph.set(budget='read_share', p=0.5)[0].successful
    decisions = [front.ask()[1] for _ in range(24)]
    (refused,) = graph.set(policy='flow')
    assert not refused.successful and 'takes none' in refused.reason
    (kept,) = graph.set(p=0.9)  # for when the budget is over
    assert kept.successful and 'has no effect now: budget read_share moves p' in kept.reason
    assert graph.set(budget='none', p=0.0)[0].successful
    assert len({d.threshold for d in decisions}) > 1
    assert decisions[-1].reason_detail.startswith('budget read_share 0.5, now')
    assert {d.action for d in decisions} == {READ, FORECAST}
