"""Diagnostics of the node: one status a camera, and a log line when trouble comes or goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from .camera import Camera
from .health import BAD, Finding

PERIOD_S = 1.0
ACTIVE = 'active'
# Periods in which /clock may begin, and in which a node of the same name may end.
CLOCK_PERIODS, TWIN_PERIODS = 3, 3
NO_CLOCK = (
    'use_sim_time is set, and nothing comes on /clock: ages of images are wrong; publish /clock '
    '(`ros2 bag play --clock`), or set use_sim_time: false'
)


class Diagnostics:
    """
    Publishes on ``/diagnostics`` every second, whatever the ROS clock does.

    :ivar facts: of the node, as text by name: its weights and device, say.
    :ivar budget: says what moves p, '' for nothing.
    :ivar missed: given the p in force, says that what moves it does not get there, '' if it does.
    """

    def __init__(self, node: Node) -> None:
        """Create publisher and timer."""
        self.cameras: Sequence[Camera] = ()
        self.state = 'unconfigured'
        self.failure = ''  # of the last transition
        self._stood = 0
        self.facts: Mapping[str, str] = {}  # of the node, while it is configured
        self.budget: Callable[[], str] = str
        self.missed: Callable[[float | None], str] = _nothing
        self._twins = 0
        self._node = node
        self._known: dict[str, frozenset[str]] = {}
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(PERIOD_S, self._on_timer, clock=self._clock)

    def watch(self, state: str, cameras: Sequence[Camera] = ()) -> None:
        """
        Report on these cameras from now on.

        :param state: of the node; cameras are judged only while it is active.
        """
        self.state, self.cameras, self.failure = state, cameras, ''
        self._known.clear()

    def _on_timer(self) -> None:
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_fully_qualified_name()
        array.status = [self._node_status(name)]
        array.status += [self._status(name, camera) for camera in self.cameras]
        self._publisher.publish(array)

    def _node_status(self, name: str) -> DiagnosticStatus:
        """Say how the node is: OK means that detections come where images do."""
        finding, level = self._finding(name), DiagnosticStatus.OK
        message = finding.text if finding.kind else self.state
        if self.failure:
            level, message = DiagnosticStatus.ERROR, f'{self.state}: {self.failure}'
        elif self.state != ACTIVE and not finding.kind:
            level, message = DiagnosticStatus.WARN, f'{self.state}: images are not detected in'
        elif finding.kind:
            level = DiagnosticStatus.WARN
        self._log_change('', finding)
        return DiagnosticStatus(
            level=level, name=name, message=message, values=_values(self._of_all())
        )

    def _finding(self, name: str) -> Finding:
        """Say what is wrong with the node as a whole, whatever its cameras do."""
        without_clock = self._without_clock()
        if twin := self._twin(name):
            return Finding('twin', twin)
        if self.state == ACTIVE and without_clock:
            return Finding('clock', without_clock)
        p = next((p for camera in self.cameras if (p := camera.health.p()) is not None), None)
        if self.state == ACTIVE and (missed := self.missed(p)):
            return Finding('budget', missed)
        return Finding('', f'{self.state}; that trouble is over')

    def _twin(self, name: str) -> str:
        """Say that another node has this name, once there was time to see one off that ends."""
        names = self._node.get_node_names_and_namespaces()
        number = names.count((self._node.get_name(), self._node.get_namespace()))
        self._twins = self._twins + 1 if number > 1 else 0
        if self._twins < TWIN_PERIODS:
            return ''
        return (
            f'{number} nodes are named {name} and answer on the same topics: end the others, or '
            'start this one under a name of its own (--ros-args -r __node:=NAME); one that was '
            'killed is still counted for some seconds'
        )

    def _without_clock(self) -> str:
        """Say that nobody gives the simulated time, once there was time for it."""
        simulated = self._node.get_parameter('use_sim_time').value
        stands = simulated and not self._node.get_clock().now().nanoseconds
        self._stood = self._stood + 1 if stands else 0
        return NO_CLOCK if self._stood > CLOCK_PERIODS else ''

    def _of_all(self) -> dict[str, str]:
        """Say what holds for all cameras together."""
        if not self.cameras:
            return dict(self.facts)
        reads, answers = map(sum, zip(*(camera.health.shares() for camera in self.cameras)))
        share = {'read_share': f'{reads / answers:.3f}'} if answers else {}
        share |= {'budget': self.budget()} if self.budget() else {}
        return {**self.facts, 'cameras': str(len(self.cameras)), **share}

    def _status(self, name: str, camera: Camera) -> DiagnosticStatus:
        timeout_s, max_age_s, is_simulated = (
            self._node.get_parameter(name).value
            for name in ('image_timeout_s', 'max_age_s', 'use_sim_time')
        )
        finding = camera.health.finding(
            camera.publishers_in_graph(), timeout_s, max_age_s, is_simulated
        )
        self._log_change(camera.topics.image, finding)
        return DiagnosticStatus(
            level=DiagnosticStatus.WARN if finding.kind else DiagnosticStatus.OK,
            name=f'{name}: {camera.topics.image}',
            hardware_id=camera.topics.image,
            message=finding.text,
            values=_values(camera.health.figures()),
        )

    def _log_change(self, topic: str, finding: Finding) -> None:
        """Log each trouble when it comes, and the end of all; bad images have their own lines."""
        known = self._known.get(topic, frozenset())
        if finding.is_open:
            return  # the trouble may be back before anything is answered
        logger = self._node.get_logger()
        for trouble in finding.troubles:
            if trouble.kind not in known | {BAD}:
                logger.warning(trouble.text)
        if known - {BAD} and not finding.kind:
            logger.info(finding.text)
        self._known[topic] = frozenset(trouble.kind for trouble in finding.troubles)


def _nothing(_p: float | None) -> str:
    return ''


def _values(figures: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in figures.items()]
