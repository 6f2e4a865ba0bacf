"""The import arrows: what may know what."""

import ast
from pathlib import Path

import pytest

import forecast_detector

PACKAGE = 'forecast_detector'
ROOT = Path(forecast_detector.__file__).parent
# Each part may import itself and these.
BASE = {'types', 'settings', 'config', 'boxes'}
CORE = BASE | {'device', 'memory', 'shipped', 'preprocess', 'postprocess', 'model', 'checkpoint'}
ALLOWED = {
    '__init__': set(),
    'types': set(),
    'settings': set(),
    'config': {'types', 'settings'},
    'boxes': set(),
    'device': set(),
    'images': {'types'},
    'memory': set(),
    'shipped': set(),
    'topics': set(),
    'preprocess': {'boxes'},
    'model': BASE | {'preprocess'},
    'postprocess': BASE,
    'checkpoint': BASE | {'model', 'shipped'},
    'engine': CORE,
    'bags': BASE | {'images'},
    'data': BASE | {'images', 'bags'},
    'annotate': BASE | {'data'},
    'training': CORE | {'data', 'engine'},
    'evaluation': CORE | {'data', 'engine'},
    'diagnosis': CORE | {'data', 'engine', 'training', 'evaluation'},
    'demo': CORE | {'data', 'bags', 'annotate', 'evaluation', 'images'},
    'replay': CORE | {'bags', 'data', 'demo', 'evaluation', 'engine', 'topics'},
    'report': set(),
    'ros': CORE | {'msg', 'engine', 'images', 'bags', 'data', 'annotate', 'demo', 'replay',
                   'topics'},
    'executables': {'demo'},
    'cli': None,
    '__main__': {'cli'},
}
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


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    own = part(path)
    assert own in ALLOWED, f'{own} is new: say in this test what it may import'
    for name in imports(path):
        top, _, rest = name.partition('.')
        if top in ROS_MODULES:
            assert own == 'ros', f'{path}: only ros may import {name}'
        if top == PACKAGE and rest:
            target = rest.split('.')[0]
            if target == '__version__':
                continue
            allowed = ALLOWED[own]
            assert target != 'ros' or own == 'ros', f'{path} imports {name}'
            assert target != 'cli' or own in ('cli', '__main__'), f'{path} imports {name}'
            assert allowed is None or target == own or target in allowed, f'{path} imports {name}'


def test_the_walk_sees_imports():
    found = set(imports(ROOT / 'engine' / 'detector.py'))
    assert f'{PACKAGE}.checkpoint.Checkpoint' in found
    assert 'torch' in found
