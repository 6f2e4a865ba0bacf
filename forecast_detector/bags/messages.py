"""Message types for bags: the standard ones, vision_msgs 4.1.1, and this package's own."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
import math
from typing import Any

import numpy as np
from rosbags.typesys import get_types_from_idl, get_types_from_msg, get_typestore, Stores
from rosbags.typesys.store import Typestore

from ..types import Decision, Detections

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
DETECTIONS = 'vision_msgs/msg/Detection2DArray'
LABEL_INFO = 'vision_msgs/msg/LabelInfo'
DECISION = 'forecast_detector/msg/ForecastDecision'

# The fields alone. They stand here as well as in the .msg files because a plain pip install has
# no share folder; a test compares the type hashes.
_DEFINITIONS = {
    'vision_msgs/msg/Point2D': 'float64 x\nfloat64 y',
    'vision_msgs/msg/Pose2D': 'vision_msgs/Point2D position\nfloat64 theta',
    'vision_msgs/msg/BoundingBox2D':
        'vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y',
    'vision_msgs/msg/ObjectHypothesis': 'string class_id\nfloat64 score',
    'vision_msgs/msg/ObjectHypothesisWithPose':
        'vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose',
    'vision_msgs/msg/Detection2D':
        'std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n'
        'vision_msgs/BoundingBox2D bbox\nstring id',
    DETECTIONS: 'std_msgs/Header header\nvision_msgs/Detection2D[] detections',
    'vision_msgs/msg/VisionClass': 'uint16 class_id\nstring class_name',
    LABEL_INFO:
        'std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold',
    'vision_msgs/msg/VisionInfo':
        'std_msgs/Header header\nstring method\nstring database_location\n'
        'int32 database_version',
    DECISION:
        'std_msgs/Header header\n'
        'uint8 READ=0\nuint8 FORECAST=1\nuint8 action\n'
        'uint8 FIRST_FRAME=0\nuint8 SCHEDULER=1\nuint8 LIMIT=2\nuint8 RESET=3\nuint8 POLICY=4\n'
        'uint8 REQUEST=5\n'
        'uint8 reason\nstring reason_detail\nfloat32 confidence\nfloat32 threshold\n'
        'uint32 frames_since_read\nbuiltin_interfaces/Time last_read_stamp\n'
        'float32 inference_ms',
}

# What is read of these, whoever defined them.
_NEEDED = {
    IMAGE: {'header', 'height', 'width', 'encoding', 'is_bigendian', 'step', 'data'},
    COMPRESSED_IMAGE: {'header', 'format', 'data'},
    DETECTIONS: {'header', 'detections'},
}


@lru_cache(maxsize=1)
def default_typestore() -> Typestore:
    """Return the types for bags that carry no definitions, and for writing."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for name, text in _DEFINITIONS.items():
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


def typestore_of(msgtype: str, schema: str, definition: str) -> Typestore | None:
    """
    Choose the types to read messages by: the bag's own, or else the ones known here.

    A definition that cannot be parsed, or without the fields that everybody's has, is not used.

    :param schema: how the definition is written, ``ros2msg`` or ``ros2idl``.
    :returns: None for an unknown type without a definition.
    """
    with suppress(Exception):  # foreign text fails anywhere in the parsers
        embedded = _parse_definition(msgtype, schema, definition)
        if _NEEDED.get(msgtype, set()) <= _fields(embedded, msgtype):
            return embedded
    known = default_typestore()
    return known if msgtype in known.fielddefs else None


def _fields(store: Typestore, msgtype: str) -> set[str]:
    return {name for name, _ in store.fielddefs[msgtype][1]}


def _parse_definition(msgtype: str, schema: str, definition: str) -> Typestore:
    types: dict[str, Any] = {}
    if schema == 'ros2msg':
        types.update(get_types_from_msg(definition, msgtype))
    elif schema == 'ros2idl':
        for part in definition.split('=' * 80 + '\n'):
            if part.strip():
                types.update(get_types_from_idl(part.split('\n', 1)[1]
                                                if part.startswith('IDL: ') else part))
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    return store


def stamp_to_ns(stamp: Any) -> int:
    """Turn a ``builtin_interfaces/Time`` into nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _make(name: str, **fields: Any) -> Any:
    return default_typestore().types[name](**fields)


def make_stamp(stamp_ns: int) -> Any:
    """Build a ``builtin_interfaces/Time``."""
    seconds, rest = divmod(stamp_ns, 1_000_000_000)
    return _make('builtin_interfaces/msg/Time', sec=seconds, nanosec=rest)


def make_header(stamp_ns: int, frame_id: str) -> Any:
    """Build a ``std_msgs/Header``."""
    return _make('std_msgs/msg/Header', stamp=make_stamp(stamp_ns), frame_id=frame_id)


def _make_pose() -> Any:
    pose = _make(
        'geometry_msgs/msg/Pose',
        position=_make('geometry_msgs/msg/Point', x=0.0, y=0.0, z=0.0),
        orientation=_make('geometry_msgs/msg/Quaternion', x=0.0, y=0.0, z=0.0, w=1.0),
    )
    return _make('geometry_msgs/msg/PoseWithCovariance', pose=pose, covariance=np.zeros(36))


def make_detections(
    detections: Detections, labels: tuple[str, ...], header: Any, tracks: list[str] | None
) -> Any:
    """
    Build a ``vision_msgs/Detection2DArray``; ``class_id`` is the class name.

    :param tracks: an ``id`` for each detection; None leaves them empty.
    """
    items = []
    for k, (box, score, label) in enumerate(
        zip(detections.boxes.tolist(), detections.scores.tolist(), detections.labels.tolist())
    ):
        x0, y0, x1, y1 = box
        position = _make('vision_msgs/msg/Point2D', x=(x0 + x1) / 2, y=(y0 + y1) / 2)
        hypothesis = _make('vision_msgs/msg/ObjectHypothesis', class_id=labels[label], score=score)
        items.append(_make(
            'vision_msgs/msg/Detection2D', header=header, id=tracks[k] if tracks else '',
            results=[_make('vision_msgs/msg/ObjectHypothesisWithPose', hypothesis=hypothesis,
                           pose=_make_pose())],
            bbox=_make(
                'vision_msgs/msg/BoundingBox2D', size_x=x1 - x0, size_y=y1 - y0,
                center=_make('vision_msgs/msg/Pose2D', position=position, theta=0.0),
            ),
        ))
    return _make(DETECTIONS, header=header, detections=items)


def make_decision(decision: Decision, header: Any) -> Any:
    """Build a ``forecast_detector/ForecastDecision``."""
    return _make(
        DECISION, header=header, action=int(decision.action), reason=int(decision.reason),
        reason_detail=decision.reason_detail, confidence=float(decision.confidence),
        threshold=float(decision.threshold), frames_since_read=int(decision.frames_since_read),
        last_read_stamp=make_stamp(decision.last_read_stamp_ns),
        inference_ms=float(decision.inference_ms),
    )


def make_label_info(labels: tuple[str, ...], threshold: float, header: Any) -> Any:
    """Build a ``vision_msgs/LabelInfo``: label index to class name."""
    classes = [_make('vision_msgs/msg/VisionClass', class_id=k, class_name=name)
               for k, name in enumerate(labels)]
    return _make(LABEL_INFO, header=header, class_map=classes, threshold=float(threshold))


def parse_detection(detection: Any) -> tuple[tuple[float, float, float, float], str, float, str]:
    """
    Read a ``vision_msgs/Detection2D``, of version 4 or of the older 3.

    :returns: box (xyxy in pixels; its rotation is ignored), class of the best hypothesis
        ('' if it has none), its score, and the track's id.
    """
    centre = detection.bbox.center
    position = getattr(centre, 'position', centre)
    half_x, half_y = detection.bbox.size_x / 2, detection.bbox.size_y / 2
    box = (position.x - half_x, position.y - half_y, position.x + half_x, position.y + half_y)
    best, name = -math.inf, ''
    for result in detection.results:
        hypothesis = getattr(result, 'hypothesis', result)
        if hypothesis.score > best:
            best = float(hypothesis.score)
            name = str(getattr(hypothesis, 'class_id', getattr(hypothesis, 'id', '')))
    return box, name, best, str(getattr(detection, 'id', ''))
