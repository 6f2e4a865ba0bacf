#!/usr/bin/env python3
"""
Write what files say of the node's parameters, from the fields that describe them.

    .venv/bin/python scripts/write_parameters.py

In config/detector.yaml and docs/node.md, what is between the lines that name this script is
replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re
import sys
import textwrap
from typing import Any

import yaml

from forecast_detector.config import StreamConfig
from forecast_detector.node import NodeConfig
from forecast_detector.parameter import describe, Parameter, plain

ROOT = Path(__file__).resolve().parent.parent
PARAMETERS = [*describe(NodeConfig).values(), *describe(StreamConfig).values()]
COLUMNS = ('parameter', 'default', 'type and range', 'takes effect', 'meaning')
BETWEEN = re.compile(r'(begin: scripts/write_parameters\.py.*\n)(?:.*\n)*?(.*end: scripts/)')


def as_yaml(value: Any) -> str:
    """Write a value on one line."""
    return yaml.safe_dump(plain(value), default_flow_style=True).removesuffix('...\n').strip()


def yaml_lines(parameter: Parameter) -> Iterator[str]:
    """Write a parameter of the parameter file, its meaning above it."""
    expected = parameter.expected[0].upper() + parameter.expected[1:]
    for text in (parameter.help, f'{expected}; takes effect {parameter.effective}.'):
        yield from textwrap.wrap(text, 99, initial_indent='    # ', subsequent_indent='    # ')
    yield f'    {parameter.name}: {as_yaml(parameter.default)}'


def table_row(parameter: Parameter) -> str:
    """Write a parameter's row of the table."""
    expected = re.sub(r'^a | \(true or false\)', '', parameter.expected)
    cells = (f'`{parameter.name}`', f'`{as_yaml(parameter.default)}`', expected,
             parameter.effective, parameter.help)
    return f'| {" | ".join(cells)} |'


def written(path: Path, lines: list[str]) -> str:
    """
    Put lines between the two marks of a file.

    :returns: what it holds then.
    :raises ValueError: if it has no marks.
    """
    text = path.read_text(encoding='utf-8')
    new, count = BETWEEN.subn(
        lambda match: ''.join((match[1], *(f'{line}\n' for line in lines), match[2])), text
    )
    if count != 1:
        raise ValueError(f'{path}: expected one pair of lines with begin and end of this script')
    return new


def contents() -> dict[Path, str]:
    """Give what each file is to hold."""
    entries = ['\n'.join(yaml_lines(parameter)) for parameter in PARAMETERS]
    head = [f'| {" | ".join(COLUMNS)} |', '|---' * len(COLUMNS) + '|']
    return {
        path: written(path, lines) for path, lines in (
            (ROOT / 'config' / 'detector.yaml', ['', *'\n\n'.join(entries).split('\n'), '']),
            (ROOT / 'docs' / 'node.md', ['', *head, *map(table_row, PARAMETERS), '']),
        )
    }


def main() -> int:
    for path, text in contents().items():
        path.write_text(text, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
