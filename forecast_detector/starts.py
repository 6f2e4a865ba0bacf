"""How a node starts as a process; nothing is imported here that takes time."""

from __future__ import annotations

from importlib import import_module
import sys

from .ends import begin, leave


def start(room: str, name: str) -> int:
    """
    Run the node of a module; it ends at a signal from now on, also while it is loaded.

    :returns: the exit status where there is no ROS, which is said in one line, or where help is
        asked for; otherwise the process ends here.
    """
    begin(name)
    try:
        import_module('.node', __package__).require_ros()
    except RuntimeError as error:
        print(f'{name}: error: {error}', file=sys.stderr)
        return 1
    help_of = import_module('.node_help', __package__)
    if help_of.is_asked_for(sys.argv[1:]):
        print(help_of.text(name))
        return 0
    leave(int(import_module(f'.{room}.{name}', __package__).main()))
