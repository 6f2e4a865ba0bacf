"""Parameter files that ROS does not take, and what is to be said of each."""

from __future__ import annotations

from pathlib import Path

HEAD = '/**:\n  ros__parameters:\n'
FAULTS = {
    'no ros__parameters': (
        'detector:\n  p: 0.5\n', 'line 2: p is not below ros__parameters'),
    'nor a node': ('p: 0.5\n', 'line 1: p is not below ros__parameters'),
    'no node': ('ros__parameters:\n  p: 0.5\n', 'line 1: ros__parameters stands at the top'),
    'one underscore': ('/**:\n  ros_parameters:\n    p: 0.5\n', 'line 2: ros_parameters; it is'),
    'no value': (HEAD + '    p: 0.5\n    resize:\n', 'line 4: resize has no value'),
    'no value in a list': (HEAD + '    x: [a, ]\n    y: [a, , b]\n', 'line 4 is no YAML'),
    'no value in lines': (HEAD + '    x:\n      - a\n      -\n', 'line 4: x has an entry without'),
    'no parameters': ('/**:\n  ros__parameters:\n', 'line 2: there is nothing below ros__param'),
    'nothing': ('/**:\n', 'line 1: there is nothing below /**'),
    'tabs': ('/**:\n\tros__parameters:\n\t\tp: 0.5\n', 'line 2 is indented with a tab'),
    'one tab': (HEAD + '    p: 0.5\n\tread_every: 3\n', 'line 4 is indented with a tab'),
    'no YAML': (HEAD + '    weights: C: x\n', 'line 3 is no YAML: mapping values'),
    'an open bracket': (HEAD + '    image_topics: [a\n', 'is no YAML'),
    'indentation': (HEAD + '    p: 0.5\n   q: 1\n', 'line 4 is no YAML'),
    'no space': (HEAD + '    p:0.5\n', "line 3: below ros__parameters is the text 'p:0.5'"),
    'a list of names': (HEAD + '    - p\n', 'line 3: below ros__parameters is a list'),
    'a list': ('- a\n', 'line 1 is no name with something below it'),
    'an alias': (HEAD + '    p: &a 0.5\n    nms_iou: *a\n', 'line 4 refers to *a'),
    'mixed': (HEAD + '    input_size: [192, 256.0]\n', 'mixes whole numbers and fractions'),
    'lists in a list': (HEAD + '    x: [[1], [2]]\n', 'line 3: x is a list of lists'),
    'a name': ('my node:\n  ros__parameters:\n    p: 0.5\n', "line 1: 'my node' is no name of"),
    'two documents': (HEAD + '    p: 0.5\n---\na: 1\n', 'line 5: a is not below'),
    'Latin-1': (b'/**:\n  ros__parameters:\n    weights: "gr\xfcn"\n', 'no text'),
    'binary': (bytes(range(256)), 'no text'),
    'a picture': (b'\x89PNG\r\n\x1a\n\0\0\0', 'no text'),
}


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)
