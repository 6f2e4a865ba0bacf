"""How a node starts as a process; nothing is imported here that takes time."""

from __future__ import annotations

from importlib import import_module
import sys

from .ends import begin, leave


def start(room: str, name: str) -> int:
    """
    Run the node of a module; it ends at a signal from now on, also while it is loaded.

    :returns: the exit status where there is no ROS, which is said in one line; otherwise the
        process ends here.
    """
    begin(name)
    try:
        import_module('.node', __package__).require_ros()
    except RuntimeError as error:
        print(f'{name}: error: {error}', file=sys.stderr)
        return 1
    leave(int(import_module(f'.{room}.{name}', __package__).main()))
