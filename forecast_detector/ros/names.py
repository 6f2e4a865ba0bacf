"""Names of topics as the user gives them, expanded and remapped."""

from __future__ import annotations

from rclpy.node import Node

from ..legible import legible


def resolved(node: Node, parameter: str, topic: str) -> str:
    """
    Expand and remap the name of a topic.

    :param parameter: that gives the name; named in the error.
    :raises ValueError: if it is no name of a topic.
    """
    try:
        return str(node.resolve_topic_name(topic))
    except (RuntimeError, ValueError) as error:  # rcl's error, or rclpy's, by release
        why = ' '.join(str(error).partition(', at /')[0].split())
        raise ValueError(
            f"{parameter}: '{legible(topic, 320)}' is no name of a topic "
            f'({why.removeprefix("failed to resolve name: ")}); expected letters, digits, _ '
            'and / between them, such as /camera/image_raw'
        ) from error
