"""The detector as a managed node: parameters, states, services; the rest is elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
import torch
from vision_msgs.msg import LabelInfo

from ..checkpoint import Checkpoint, load_checkpoint
from ..config import StreamConfig
from ..engine import StreamingDetector
from ..legible import line
from ..node import DEVICE_MARK, NodeConfig, UNCONFIGURED_MARK
from ..threads import bounded, use_threads
from . import parameters
from .arguments import plain
from .camera import Camera
from .camera_parameters import check_given, checked_changes
from .conversions import label_info_message
from .diagnostics import Diagnostics
from .held import Held
from .idle import why_idle
from .pipeline import Pipeline, topics_of, warm_up, why_no_images
from .qos import LATCHED
from .services import Services
from .transitions import ManagedNode


class DetectorNode(ManagedNode):
    """Detects objects in the images of one or several cameras."""

    def __init__(self, **kwargs: Any) -> None:
        """
        Declare parameters and services; start by itself where ``autostart`` says so.

        :raises ValueError: for a parameter of another type or out of range given at start.
        """
        self._pipeline: Pipeline | None = None
        super().__init__('detector', **kwargs)
        parameters.declare(self, parameters.PARAMETERS)
        check_given(self)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._label_info: Any = None
        self._diagnostics = Diagnostics(self)
        Services(self, '~', {'reset': self._on_reset, 'force_read': self._on_force_read})
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        if self.get_parameter('autostart').value:
            self._starter = self.create_timer(0.01, self._autostart, clock=self._steady)

    def close(self) -> None:
        """Let the step in progress end and stop."""
        if self._pipeline:
            self._pipeline.stop()
            self._pipeline.detector.close()

    def set_parameters(self, parameter_list: list[Parameter]) -> list[SetParametersResult]:
        """Set parameters one by one; they take effect at the next frame."""
        return [self.set_parameters_atomically([parameter]) for parameter in parameter_list]

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """
        Set parameters together; they take effect at the next frame.

        Parameter services come through here too, and Humble has no callback for what was set.
        """
        if reason := parameters.mistaken(self, parameter_list):
            return SetParametersResult(successful=False, reason=line(reason))
        try:
            changes = checked_changes(parameters.with_fractions(parameter_list))
        except ValueError as error:
            return SetParametersResult(successful=False, reason=line(error))
        former = [self.get_parameter(change.name) for change in changes]
        result = super().set_parameters_atomically(changes)
        if result.successful and self._pipeline:
            try:
                self._take_up(self._pipeline, {change.name for change in changes})
            except RuntimeError as error:  # of the middleware; the names were checked before
                super().set_parameters_atomically(former)
                return SetParametersResult(successful=False, reason=line(plain(str(error))))
        if result.successful and not result.reason:
            result.reason = self._why_idle([
                change.name for change in changes if change.type_ != Parameter.Type.NOT_SET
            ])
        return result

    def _why_idle(self, names: Sequence[str]) -> str:
        """Say which changes have no effect at present; rclpy itself sets some before ours are."""
        if not all(self.has_parameter(name) for name in ('policy', 'budget')):
            return ''
        return line(why_idle(names, parameters.current(self)))

    def _take_up(self, pipeline: Pipeline, changed: Collection[str]) -> None:
        """
        Let changed parameters take effect.

        :raises RuntimeError: if cameras cannot be had; the former ones are there then.
        """
        if 'image_topics' in changed:
            self._change_cameras(pipeline)
        former, config = pipeline.detector.config, parameters.read(self, StreamConfig)
        pipeline.configure(config)
        if config.score_threshold != former.score_threshold:
            self._publish_label_info()

    def _change_cameras(self, pipeline: Pipeline) -> None:
        """Let cameras come and go."""
        former = set(pipeline.cameras)
        try:
            pipeline.change(parameters.read(self, NodeConfig).image_topics)
        finally:
            if self._diagnostics.state == 'active':
                self._diagnostics.watch('active', list(pipeline.cameras.values()))
        for image in sorted(former - set(pipeline.cameras)):
            self.get_logger().info(f'{image}: not used any more')
        for image, camera in pipeline.cameras.items():
            if image not in former:
                self._announce(camera)

    def _announce(self, camera: Camera) -> None:
        results = ', '.join(camera.result_topics)
        self.get_logger().info(f'{camera.topics.image} -> {results}')

    def _failed(self, why: str) -> None:
        self._diagnostics.failure = why

    def _on_set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        reason = parameters.why_refused(
            {change.name: change.value for change in changes},
            parameters.current(self),
            configured=self._pipeline is not None,
        )
        topics = [change.value for change in changes if change.name == 'image_topics']
        if topics and self._pipeline and not reason:
            try:
                reason = self._why_no_cameras(self._pipeline, topics[-1])
            except ValueError as error:
                reason = str(error)
        return SetParametersResult(successful=not reason, reason=line(reason))

    def _why_no_cameras(self, pipeline: Pipeline, image_topics: Sequence[str]) -> str:
        """
        Say why there cannot be these cameras; '' where there can.

        :raises ValueError: likewise, where it is for the names.
        """
        wanted = topics_of(self, image_topics)
        return why_no_images(self, [one for one in wanted if one.image not in pipeline.cameras])

    def _configure(self) -> None:
        config = parameters.read(self, NodeConfig)
        checkpoint = load_checkpoint(config.weights, config.weights_sha256)
        self._set_threads(config.cpu_threads)
        detector = StreamingDetector(
            checkpoint,
            parameters.read(self, StreamConfig),
            config.device,
            config.given_size,
            config.given_resize,
            config.given_backend,
        )
        detector.prepare(len(config.image_topics), beside=True)
        warm_up(detector)
        self._pipeline = Pipeline(self, detector, config)
        self._label_info = self.create_publisher(LabelInfo, 'label_info', LATCHED)
        self._publish_label_info()
        self._diagnostics.facts = facts(detector, checkpoint)
        self._diagnostics.budget = lambda: detector.steering.describe(detector.config)
        held = Held()
        self._diagnostics.missed = lambda p: held.trouble(
            detector.config, p, detector.steering.now)
        self._diagnostics.watch('inactive')
        self.get_logger().info(
            f'{checkpoint.path} ({checkpoint.sha256[:12]}), {len(detector.labels)} classes'
        )
        self.get_logger().info(f'{DEVICE_MARK}{detector.device_note}')

    def _set_threads(self, wanted: int) -> None:
        if wanted:
            use_threads(bounded('cpu_threads', wanted, self.get_logger().warning))

    def _activate(self) -> None:
        assert self._pipeline
        self._pipeline.start()
        self._diagnostics.watch('active', list(self._pipeline.cameras.values()))
        for camera in self._pipeline.cameras.values():
            self._announce(camera)

    def _deactivate(self) -> None:
        assert self._pipeline
        self._pipeline.stop()
        self._pipeline.detector.reset(detail='the node was deactivated')
        self._diagnostics.watch('inactive')

    def _clean_up(self) -> None:
        if self._pipeline:
            self._pipeline.destroy()
            self._pipeline.detector.close()
            self._pipeline = None
        if self._label_info:
            self.destroy_publisher(self._label_info)
            self._label_info = None
        self._diagnostics.facts = {}
        self._diagnostics.watch('unconfigured')

    def _autostart(self) -> None:
        self._starter.cancel()
        if self._pipeline is not None:
            return  # somebody else was quicker
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            if self.trigger_activate() != TransitionCallbackReturn.SUCCESS and self.context.ok():
                self.get_logger().warning(
                    f'waiting inactive: correct what is named above, then `ros2 lifecycle set '
                    f'{self.get_fully_qualified_name()} activate`'
                )
            return
        if not self.context.ok():
            return  # it was told to end meanwhile
        self.get_logger().warning(
            f'{UNCONFIGURED_MARK}: correct the parameter (`ros2 param set '
            f'{self.get_fully_qualified_name()} ...`), then `ros2 lifecycle set '
            f'{self.get_fully_qualified_name()} configure` and `activate`'
        )

    def _on_reset(self, camera: str | None) -> str:
        return self._configured('reset').reset(camera)

    def _on_force_read(self, camera: str | None) -> str:
        return self._configured('read').force_read(camera)

    def _configured(self, what: str) -> Pipeline:
        if self._pipeline is None:
            raise RuntimeError(f'nothing to {what}: the node is not configured')
        return self._pipeline

    def _publish_label_info(self) -> None:
        assert self._pipeline
        detector = self._pipeline.detector
        message = label_info_message(detector.labels, detector.config.score_threshold)
        self._label_info.publish(message)


def facts(detector: StreamingDetector, checkpoint: Checkpoint) -> dict[str, str]:
    """Say what runs where, for diagnostics."""
    height, width = detector.input_size
    return {
        'device': str(detector.device), 'device_note': detector.device_note,
        'backend': detector.backend,
        'threads': str(torch.get_num_threads()), 'weights': str(checkpoint.path),
        'weights_sha256': checkpoint.sha256, 'classes': str(len(detector.labels)),
        'input_size': f'{height}x{width}', 'resize': detector.resize,
    }
