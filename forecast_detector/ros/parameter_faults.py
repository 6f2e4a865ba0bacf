"""What keeps ROS from reading a parameter file, in words that say where and what to do."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
import re

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from .parameter_files import PARAMETERS

LAYOUT = f'a node (or /** for any), below it {PARAMETERS}, below that the parameters'
NODE_NAME = re.compile(r'/?(\*\*|\*|\w+)(/(\*\*|\*|\w+))*/?')
KINDS = {'str': 'texts', 'int': 'whole numbers', 'float': 'fractions', 'bool': 'true and false'}


class Fault(Exception):
    """Raised for the first fault of a file; the text names the line and the remedy."""


def fault_of(path: str) -> str:
    """Say what keeps rcl from reading a parameter file, with the remedy; '' if it is unknown."""
    try:
        _check(Path(path).read_bytes())
    except IsADirectoryError:
        return 'it is a folder; give the YAML file in it'
    except FileNotFoundError:
        return 'there is no such file; check the path (relative ones start where the node does)'
    except OSError as error:
        return f'it cannot be read: {error.strerror}'
    except yaml.reader.ReaderError as error:
        return f'it is no text ({error.reason}); expected YAML, saved as UTF-8'
    except yaml.MarkedYAMLError as error:
        return _no_yaml(error, Path(path).read_bytes())
    except Fault as fault:
        return str(fault)
    return ''


def _no_yaml(error: yaml.MarkedYAMLError, data: bytes) -> str:
    """Say where the YAML ends to be one; tabs are the usual reason."""
    line = error.problem_mark.line if error.problem_mark else 0
    lines = data.decode(errors='replace').splitlines()
    for at in (line, line - 1):
        if 0 <= at < len(lines) and re.match(r' *\t', lines[at]):
            return f'line {at + 1} is indented with a tab; YAML wants spaces'
    return (
        f'line {line + 1} is no YAML: {error.problem or error}; check indentation, quotes, '
        'brackets and the space after each colon'
    )


def _line(node: Node) -> str:
    return f'line {node.start_mark.line + 1}'


def _check(data: bytes) -> None:
    """:raises Fault: for the first thing in it that rcl does not take."""
    for event in yaml.parse(data, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise Fault(
                f'line {event.start_mark.line + 1} refers to *{event.anchor}, which ROS does not '
                'take in parameter files; write the value itself'
            )
    for document in yaml.compose_all(data, yaml.SafeLoader):
        if not isinstance(document, MappingNode):
            raise Fault(f'{_line(document)} is no name with something below it; expected {LAYOUT}')
        _check_nodes(document, is_top=True)


def _check_nodes(mapping: MappingNode, is_top: bool = False) -> None:
    for key, value in mapping.value:
        name = str(key.value)
        if name == PARAMETERS:
            if is_top:
                raise Fault(f'{_line(key)}: {name} stands at the top; expected {LAYOUT}')
            _check_top(key, value)
        elif get_close_matches(name, [PARAMETERS], cutoff=0.8):
            raise Fault(f'{_line(key)}: {name}; it is written {PARAMETERS}, with two underscores')
        elif isinstance(value, MappingNode):
            if not NODE_NAME.fullmatch(name):
                raise Fault(
                    f"{_line(key)}: '{name}' is no name of a node; expected letters, digits, _ "
                    'and /, or the wildcards * and **'
                )
            _check_nodes(value)
        elif _is_nothing(value):
            raise Fault(f'{_line(key)}: there is nothing below {name}; expected {LAYOUT}')
        else:
            raise Fault(f'{_line(key)}: {name} is not below {PARAMETERS}; expected {LAYOUT}')


def _check_top(key: Node, value: Node) -> None:
    if isinstance(value, MappingNode):
        _check_parameters(value)
    elif _is_nothing(value):
        raise Fault(f'{_line(key)}: there is nothing below {PARAMETERS}; put parameters there, '
                    'or delete it')
    else:
        what = 'a list' if isinstance(value, SequenceNode) else f"the text '{value.value}'"
        raise Fault(f'{_line(value)}: below {PARAMETERS} is {what}; expected parameters as '
                    'NAME: VALUE, with a space after the colon')


def _is_nothing(value: Node) -> bool:
    return isinstance(value, ScalarNode) and value.value == '' and value.style is None


def _check_parameters(mapping: MappingNode) -> None:
    for key, value in mapping.value:
        if isinstance(value, MappingNode):
            _check_parameters(value)
        elif _is_nothing(value):
            raise Fault(
                f"{_line(key)}: {key.value} has no value; give it one ('' is an empty text), or "
                'delete the line'
            )
        elif isinstance(value, SequenceNode):
            _check_list(str(key.value), value)


def _check_list(name: str, values: SequenceNode) -> None:
    if any(not isinstance(value, ScalarNode) for value in values.value):
        raise Fault(
            f'{_line(values)}: {name} is a list of lists or of names with values; expected one of '
            'plain values'
        )
    if any(_is_nothing(value) for value in values.value):
        raise Fault(
            f"{_line(values)}: {name} has an entry without a value; give it one ('' is an empty "
            'text), or delete it'
        )
    tags = dict.fromkeys(value.tag.rpartition(':')[2] for value in values.value)
    if len(tags) > 1:
        kinds = ' and '.join(KINDS.get(tag, tag) for tag in tags)
        raise Fault(f'{_line(values)}: {name} mixes {kinds}; write all of its values alike')
