"""Parameter files on the command line: which there are, and for which nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any

import yaml

PARAMETERS = 'ros__parameters'
# rcl's wildcards: one token of a node's name, any number of them, or part of one.
WILDCARDS = {'/**': r'(/\w+)*', '/*': r'/\w+'}


@dataclass(frozen=True)
class Entry:
    """
    What a parameter file gives to one node, or to those that a wildcard names.

    :ivar node: full name, perhaps with wildcards.
    :ivar names: of the parameters, nested ones joined by points.
    """

    node: str
    names: frozenset[str]

    def is_for(self, node: str) -> bool:
        """Say whether a node of this full name takes these parameters."""
        pattern = re.split(r'(/\*\*|/\*)(?=/|$)', self.node)
        return bool(re.fullmatch(''.join(WILDCARDS.get(p, re.escape(p)) for p in pattern), node))


def files_of(arguments: Sequence[str]) -> list[str]:
    """List the parameter files that a command line gives to ROS."""
    files, is_ros = [], False
    for at, argument in enumerate(arguments):
        if argument in ('--ros-args', '--'):
            is_ros = argument == '--ros-args'
        elif is_ros and at and arguments[at - 1] == '--params-file':
            files.append(argument)
    return files


def entries(path: str) -> list[Entry]:
    """
    List what a parameter file gives to whom; nothing where it is none.

    :raises OSError: if it cannot be read.
    :raises yaml.YAMLError: if it is no YAML.
    """
    # Only names are wanted: the plain loader leaves values and keys as they are written.
    documents = yaml.load_all(Path(path).read_bytes(), yaml.BaseLoader)
    return [entry for document in documents for entry in _entries('', document)]


def _entries(node: str, content: Any) -> Iterator[Entry]:
    if not isinstance(content, dict):
        return
    for key, value in content.items():
        if key == PARAMETERS:
            yield Entry(node or '/', frozenset(_flat('', value)))
        else:
            yield from _entries(f'{node}/{str(key).strip("/")}'.rstrip('/'), value)


def _flat(prefix: str, content: Any) -> Iterator[str]:
    for key, value in content.items() if isinstance(content, dict) else ():
        if isinstance(value, dict):
            yield from _flat(f'{prefix}{key}.', value)
        else:
            yield f'{prefix}{key}'


def why_unused(path: str, node: str, taken: frozenset[str]) -> str:
    """
    Say that nothing of a parameter file is for a node, and the remedy; '' where something is.

    :param node: its full name.
    :param taken: names of the parameters that the node was given, by whatever.
    """
    try:
        found = [entry for entry in entries(path) if entry.names]
    except (OSError, yaml.YAMLError):  # rcl took it: then it is for rcl to say
        return ''
    if not found:
        return (
            f'parameter file {path} gives no parameters; expected {node} (or /** for any node), '
            f'below it {PARAMETERS}, below that the parameters'
        )
    if any(entry.is_for(node) or '*' in entry.node and entry.names <= taken for entry in found):
        return ''
    others = ', '.join(sorted({entry.node for entry in found})[:4])
    return (
        f'nothing in parameter file {path} is for this node: it gives parameters to {others}, and '
        f'this node is {node}; write {node} there (or /** for any node), or name the node so'
    )
