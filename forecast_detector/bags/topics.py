"""The topics of a recording: which can be read, as what, and what the others are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .channels import Channel
from .messages import COMPRESSED_IMAGE, DETECTIONS, IMAGE

IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)
WANTED = (*IMAGE_TYPES, DETECTIONS)
LISTED = 30


def choose_types(
    channels: Sequence[Channel], count: Callable[[str, str], int]
) -> tuple[dict[str, str], list[str]]:
    """
    Say as what each topic is read: it may have channels of several types, or foreign ones.

    Of several it is one that is needed here, and of those the one with the most messages.

    :param count: counts the messages of a topic that are of a type.
    :returns: topic to type, of those that can be read; and what is left out of them, in words.
    """
    types: dict[str, list[str]] = {}
    for channel in channels:
        if channel.is_ros2 and channel.msgtype not in types.setdefault(channel.topic, []):
            types[channel.topic].append(channel.msgtype)
    chosen, notes = {}, []
    for topic, names in types.items():
        chosen[topic] = names[0]
        if len(names) == 1:
            continue
        counts = {name: count(topic, name) for name in names}
        chosen[topic] = max(names, key=lambda name: (
            counts[name] > 0 and name in WANTED, counts[name], name == IMAGE
        ))
        others = [name for name in names if name != chosen[topic] and counts[name]]
        if others:
            notes.append(f'{topic} is read as {chosen[topic]}; its messages of '
                         f'{", ".join(others)} are not')
    return chosen, notes


def listing(channels: Sequence[Channel]) -> str:
    """List what there is, and say what it takes to make images for us of it."""
    lines = {}
    for channel in channels:
        kind = channel.msgtype or 'no type'
        lines[channel.topic] = kind if channel.is_ros2 else f'{kind}, {channel.encoding or "?"}'
    shown = [f'{topic} ({kind})' for topic, kind in sorted(lines.items())]
    more = f' and {len(shown) - LISTED} more' if len(shown) > LISTED else ''
    text = 'the bag has ' + (', '.join(shown[:LISTED]) + more if shown else 'no topics at all')
    return '; '.join([text, *_ways_out(channels)])


def _ways_out(channels: Sequence[Channel]) -> list[str]:
    """Say what to do with topics that are images, but not to ROS 2."""
    found = []
    encodings = {channel.encoding for channel in channels if not channel.is_ros2}
    if 'ros1' in encodings:
        found.append(
            'its messages are of ROS 1: convert the ROS 1 bag that it was made of '
            '(rosbags-convert --src IN.bag --dst OUT), or play it through a bridge and record that'
        )
    names = {channel.msgtype for channel in channels}
    if any('foxglove' in name.lower() and 'video' in name.lower() for name in names):
        found.append(
            'Foxglove CompressedVideo is a video stream: decode it, and record sensor_msgs/msg/'
            'CompressedImage'
        )
    elif any('foxglove' in name.lower() for name in names):
        found.append(
            'Foxglove schemas are not read: republish the images as sensor_msgs/msg/'
            'CompressedImage or Image, and record those'
        )
    elif foreign := sorted(encodings - {'ros1', 'cdr', ''}):
        found.append(
            f'messages that are not ROS 2 (encoded as {", ".join(foreign)}) are not read: '
            'republish the images as sensor_msgs/msg/Image, and record those'
        )
    if encodings & {'cdr', ''}:
        found.append(
            'topics without a type (schema), or without an encoding of their messages, are not '
            'read: the program that wrote the file left it out; write it again with both'
        )
    return found
