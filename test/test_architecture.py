"""The import arrows: what may know what."""

import ast
from pathlib import Path

import pytest

import forecast_detector

PACKAGE = 'forecast_detector'
ROOT = Path(forecast_detector.__file__).parent
# Each part may import itself and these, and does: an arrow that nothing uses is taken out.
ALLOWED = {
    # What everything speaks.
    'types': set(),
    'trees': set(),
    'ends': set(),
    'layout': set(),
    'resizing': set(),
    'starts': {'ends'},
    'legible': set(),
    'limits': set(),
    'settings': set(),
    'parameter': {'legible'},
    'boxes': set(),
    'config': {'limits', 'parameter', 'settings', 'types'},
    'device': {'legible'},
    'flow': {'resizing'},
    'carrying': {'flow', 'types'},
    'kept': {'carrying', 'flow', 'types'},
    'blending': {'boxes', 'kept', 'types'},
    'tracking': {'boxes', 'types'},
    'node': {'config', 'limits', 'parameter'},
    'node_help': {'parameter'},
    'memory': set(),
    'shipped': {'legible'},
    'threads': set(),
    'topics': {'legible'},
    # Results: what stands in the JSON of a measurement.
    'records': {'writing'},
    # The core.
    'preprocess': {'boxes', 'resizing'},
    'postprocess': {'boxes', 'types'},
    'model': {'config', 'flow', 'layout', 'preprocess', 'resizing', 'settings'},
    'writing': set(),
    'weights_file': {'limits', 'types'},
    'checkpoint': {'model', 'shipped', 'types', 'weights_file', 'writing'},
    'importing': {'config', 'model', 'types'},
    'backends': {'config', 'layout', 'model', 'postprocess', 'trees'},
    'engine': {
        'backends', 'blending', 'boxes', 'carrying', 'checkpoint', 'config', 'device', 'flow',
        'kept', 'layout', 'legible', 'model', 'postprocess', 'preprocess', 'resizing', 'tracking',
        'trees', 'types',
    },
    # Frames from elsewhere.
    'images': {'legible', 'limits', 'types'},
    'bags': {'images', 'limits', 'types', 'writing'},
    'data': {'bags', 'boxes', 'images', 'limits', 'types', 'writing'},
    # Loops over the engine.
    'scoring': {'boxes', 'data', 'records', 'types'},
    'policies': {
        'carrying', 'config', 'data', 'engine', 'flow', 'kept', 'model', 'preprocess', 'tracking',
        'types',
    },
    'evaluation': {
        'boxes', 'checkpoint', 'config', 'data', 'engine', 'flow', 'kept', 'memory',
        'policies', 'postprocess', 'records', 'scoring', 'threads', 'types',
    },
    'benchmark': {
        'checkpoint', 'config', 'engine', 'kept', 'model', 'postprocess', 'records',
        'tracking', 'types',
    },
    'training': {
        'boxes', 'checkpoint', 'config', 'data', 'engine', 'evaluation', 'kept', 'layout',
        'model', 'postprocess', 'preprocess', 'settings', 'shipped', 'types', 'writing',
    },
    'adaptation': {
        'checkpoint', 'config', 'data', 'engine', 'evaluation', 'model', 'records', 'scoring',
        'training', 'types',
    },
    'diagnosis': {
        'boxes', 'config', 'data', 'engine', 'evaluation', 'policies', 'records', 'scoring',
        'training', 'types',
    },
    'replay': {
        'bags', 'config', 'data', 'demo', 'engine', 'evaluation', 'node', 'parameter', 'policies',
        'records', 'scoring', 'topics', 'types',
        'writing',
    },
    'report': {'policies', 'records'},
    'annotate': {'data', 'types'},
    'demo': {
        'bags', 'data', 'engine', 'evaluation', 'node', 'records', 'scoring', 'types',
    },
    # The robot's node; and the nodes around it, for demos and replays.
    'ros': {
        'annotate', 'benchmark', 'checkpoint', 'config', 'ends', 'engine', 'images', 'legible',
        'limits', 'memory', 'msg', 'node', 'parameter', 'records', 'starts', 'threads', 'topics',
        'types',
    },
    'graph': {
        'annotate', 'bags', 'data', 'demo', 'images', 'msg', 'parameter', 'replay', 'ros',
        'topics', 'types', 'writing',
    },
    # Above all: nothing imports these.
    'executables': {'ends', 'starts'},
    'cli': {
        'adaptation', 'annotate', 'bags', 'benchmark', 'checkpoint', 'config', 'data', 'demo',
        'device', 'diagnosis', 'ends', 'engine', 'evaluation', 'importing', 'legible', 'limits',
        'memory', 'node', 'parameter', 'policies', 'records', 'replay', 'report', 'scoring',
        'shipped', 'threads', 'topics', 'training', 'types', 'writing',
    },
    '__main__': {'executables'},
    '__init__': {'checkpoint', 'config', 'engine', 'threads', 'types'},
}
WITH_ROS = {'ros', 'graph'}
ROS_MODULES = {
    'rclpy', 'cv_bridge', 'sensor_msgs', 'std_msgs', 'std_srvs', 'vision_msgs', 'diagnostic_msgs',
    'lifecycle_msgs', 'rcl_interfaces', 'builtin_interfaces', 'ament_index_python', 'launch',
    'launch_ros', 'rosgraph_msgs',
}


def imports(path):
    """Give the absolute name of everything that a file imports."""
    package = [PACKAGE, *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            stem = '.'.join([*base, *([node.module] if node.module else [])])
            yield from (f'{stem}.{alias.name}' for alias in node.names)


def part(path):
    return path.relative_to(ROOT).parts[0].removesuffix('.py')


FILES = sorted(ROOT.rglob('*.py'))


def arrows(path):
    """Give the other parts of the package that a file imports."""
    for name in imports(path):
        top, _, rest = name.partition('.')
        target = rest.split('.')[0]
        if top == PACKAGE and target not in ('', '__version__', part(path)):
            yield target


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    own = part(path)
    assert own in ALLOWED, f'{own} is new: say in this test what it may import'
    for name in imports(path):
        top = name.partition('.')[0]
        assert top not in ROS_MODULES or own in WITH_ROS, f'{path} may not import {name}'
    for target in arrows(path):
        assert target in ALLOWED[own], f'{path} imports {target}'


def test_every_arrow_is_used():
    used = {own: set() for own in ALLOWED}
    for path in FILES:
        used[part(path)].update(arrows(path))
    assert used == ALLOWED


def test_no_arrow_leads_to_what_stands_above():
    assert {own for own, to in ALLOWED.items() if to & {'cli', 'executables', 'graph'}} == {
        '__main__'}
    assert {own for own, to in ALLOWED.items() if 'ros' in to} == {'graph'}


def test_tests_share_nothing_but_samples():
    for path in sorted(Path(__file__).parent.rglob('test_*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or '').startswith('test_'), f'{path}: {node.module}'


def test_the_walk_sees_imports():
    found = set(imports(ROOT / 'engine' / 'detector.py'))
    assert f'{PACKAGE}.checkpoint.Checkpoint' in found
    assert 'torch' in found
