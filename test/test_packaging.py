"""The package's files agree with each other, and the supplied messages with the real ones."""

import ast
import configparser
from importlib.util import find_spec
import os
from pathlib import Path
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

import forecast_detector

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = sorted(ROOT.glob('requirements*.txt'))
# Of the environment that runs the tests: .venv has .ros, .venv-jazzy has .ros-jazzy.
BUILT = ROOT / Path(sys.prefix).name.replace('.venv', '.ros')
UNDERLAY = BUILT / 'underlay' / 'install' / 'share' / 'vision_msgs'


def read_setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / 'setup.cfg')
    return parser


def read_entry_points():
    lines = read_setup_cfg()['options.entry_points']['console_scripts'].strip().splitlines()
    return [tuple(part.strip() for part in line.split('=')) for line in lines]


def test_one_version_everywhere():
    package_xml = ElementTree.parse(ROOT / 'package.xml').getroot()
    assert package_xml.findtext('version') == forecast_detector.__version__
    assert read_setup_cfg()['metadata']['version'] == forecast_detector.__version__


def test_package_xml_fits_the_ros_lint():
    package_xml = ElementTree.parse(ROOT / 'package.xml').getroot()
    assert re.fullmatch(r'[\w.-]+@[\w-]+(\.[\w-]+)+', package_xml.find('maintainer').get('email'))
    assert package_xml.findtext('license') == 'Apache-2.0'
    assert package_xml.findtext('member_of_group') == 'rosidl_interface_packages'


@pytest.mark.parametrize(('name', 'target'), read_entry_points())
def test_entry_point_names_a_function(name, target):
    # Read, not imported: the nodes' modules need ROS.
    module, function = target.split(':')
    tree = ast.parse(Path(find_spec(module).origin).read_text())
    # Defined there or imported into it.
    names = {getattr(node, 'name', None) for node in tree.body}
    names |= {
        alias.asname or alias.name
        for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert function in names


def test_executables_are_the_entry_points(tmp_path):
    script = ROOT / 'scripts' / 'write_executables.py'
    command = [sys.executable, str(script), str(ROOT / 'setup.cfg'), str(tmp_path)]
    subprocess.run(command, check=True)
    written = {path.name: path for path in tmp_path.glob('*/*')}
    assert set(written) == {name for name, _ in read_entry_points()}
    for name, path in written.items():
        assert path.parent.name == ('lib' if name.endswith('_node') else 'bin')
        assert os.access(path, os.X_OK)
        ast.parse(path.read_text())


@pytest.mark.parametrize('path', REQUIREMENTS, ids=lambda path: path.name)
def test_requirements_are_pinned(path):
    lines = [line.split('#')[0].strip() for line in path.read_text().splitlines()]
    loose = [line for line in lines if line and not re.match(r'[\w.-]+==[\w.]+(\s*;.*)?$', line)]
    assert loose == []


def test_lock_has_every_requirement_at_the_same_version():
    pins = {
        path.name: {line for line in path.read_text().splitlines() if '==' in line}
        for path in REQUIREMENTS
    }
    lock, jazzy = (pins.pop(f'requirements-lock{suffix}.txt') for suffix in ('', '-jazzy'))
    locks = {'requirements-ros-jazzy.txt': lock | jazzy}
    missing = {name: lines - locks.get(name, lock) for name, lines in pins.items()}
    assert not {name: lines for name, lines in missing.items() if lines}


@pytest.mark.parametrize(('given', 'found'), [
    ({}, 'kilted'), ({'ROS_DISTRO': 'jazzy'}, 'jazzy-jazzy'),
    ({'ROS_DISTRO': 'kilted'}, 'kilted'),
    # A ROS 2 that is sourced is used as it is; inside scripts/ros_env its choice holds.
    ({'ROS_DISTRO': 'humble', 'AMENT_PREFIX_PATH': '/opt/ros/humble'}, 'kilted'),
    ({'FORECAST_DETECTOR_DISTRO': 'jazzy', 'AMENT_PREFIX_PATH': '/x'}, 'jazzy-jazzy'),
])
def test_which_ros_is_set_up(given, found):
    kept = {'PATH': os.environ['PATH'], **given}
    done = subprocess.run(
        ['bash', '-euc', 'source scripts/distro; echo $distro$suffix'], cwd=ROOT, env=kept,
        capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found


def test_a_ros_that_has_no_wheels_is_refused():
    done = subprocess.run(
        ['bash', '-euc', 'source scripts/distro'], cwd=ROOT, capture_output=True, text=True,
        env={'PATH': os.environ['PATH'], 'ROS_DISTRO': 'foxy'}, check=False)
    assert done.returncode == 1 and 'source its setup.bash first' in done.stderr


def test_jazzy_has_what_kilted_has():
    kilted, jazzy = (
        {line.split('==')[0].replace(f'ros-{name}-', '') for line in
         (ROOT / file).read_text().splitlines() if '==' in line}
        for name, file in (
            ('kilted', 'requirements-ros.txt'), ('jazzy', 'requirements-ros-jazzy.txt'))
    )
    assert kilted - jazzy == {'ament-cmake-ros-core'}
    assert jazzy - kilted == {'ament-cmake-gtest', 'python-cmake-module'}


def test_decision_message_is_the_documented_one():
    lines = (ROOT / 'msg' / 'ForecastDecision.msg').read_text().splitlines()
    declared = [line.split('#')[0].strip() for line in lines]
    assert [line for line in declared if line and '=' not in line] == [
        'std_msgs/Header header',
        'uint8 action',
        'uint8 reason',
        'string reason_detail',
        'float32 confidence',
        'float32 threshold',
        'uint32 frames_since_read',
        'builtin_interfaces/Time last_read_stamp',
        'float32 inference_ms',
    ]
    assert [line for line in declared if '=' in line] == [
        'uint8 READ=0',
        'uint8 FORECAST=1',
        'uint8 FIRST_FRAME=0',
        'uint8 SCHEDULER=1',
        'uint8 LIMIT=2',
        'uint8 RESET=3',
        'uint8 POLICY=4',
        'uint8 REQUEST=5',
    ]


def test_supplied_vision_msgs_has_the_type_hashes_of_the_real_one():
    if not UNDERLAY.is_dir():
        pytest.skip('vision_msgs is not supplied here: the real one is used, or there is no ROS')
    command = [
        sys.executable, str(ROOT / 'scripts' / 'check_type_hashes.py'),
        str(ROOT / 'underlay' / 'vision_msgs' / 'type_hashes.txt'), str(UNDERLAY),
    ]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, '')


def test_a_wrong_type_hash_is_named(tmp_path):
    share = tmp_path / 'vision_msgs'
    (share / 'msg').mkdir(parents=True)
    (share / 'msg' / 'Point2D.json').write_text(
        '{"type_hashes": [{"type_name": "vision_msgs/msg/Point2D", "hash_string": "RIHS01_a"}]}'
    )
    (tmp_path / 'expected.txt').write_text('Point2D RIHS01_b\n')
    command = [
        sys.executable, str(ROOT / 'scripts' / 'check_type_hashes.py'),
        str(tmp_path / 'expected.txt'), str(share),
    ]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 1
    assert 'RIHS01_a, expected RIHS01_b' in checked.stdout


@pytest.mark.parametrize('name', [name for name, _ in read_entry_points() if '_node' in name])
def test_a_node_without_ros_is_one_clear_line(name):
    code = (
        'import sys\n'
        "sys.modules['rclpy'] = None\n"  # as where it is not installed
        f'from forecast_detector.executables import {name}\n'
        f'sys.exit({name}())\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f'{name}: error: ROS 2 is not complete here (no rclpy')
    assert len(done.stderr.splitlines()) == 1


def test_public_names_come_from_the_package_itself_and_load_late():
    program = (
        'import sys, forecast_detector\n'
        'assert "torch" not in sys.modules\n'
        'for name in forecast_detector.__all__:\n'
        '    assert getattr(forecast_detector, name).__name__ == name\n'
        'try:\n'
        '    forecast_detector.nonsense\n'
        'except AttributeError as error:\n'
        '    assert "nonsense" in str(error)\n'
        'else:\n'
        '    raise SystemExit("no error")\n'
    )
    subprocess.run([sys.executable, '-c', program], check=True)


@pytest.mark.parametrize(('output', 'shown'), [
    (['CMake Error at CMakeLists.txt:9 (find_package):', '  Could not find rosidl'],
     '1:CMake Error at CMakeLists.txt:9 (find_package):\n2-  Could not find rosidl'),
    (['ERROR: No matching distribution found for torch'], '1:ERROR: No matching'),
    (['a.cpp:3:10: fatal error: Python.h: No such file'], '1:a.cpp:3:10: fatal error'),
    (['nothing of that kind'], ''),
])
def test_setup_shows_what_went_wrong_first(tmp_path, output, shown):
    """The end of a log of colcon is a traceback that says nothing."""
    scripts = tmp_path / 'scripts'
    scripts.mkdir()
    (scripts / 'distro').write_text((ROOT / 'scripts' / 'distro').read_text())
    text = (ROOT / 'scripts' / 'setup').read_text()
    assert text.endswith('\nmain\n')
    (scripts / 'setup').write_text(text.removesuffix('main\n'))
    (tmp_path / 'log').write_text('\n'.join([*output, *['Traceback'] * 40]))
    program = f'source {scripts}/setup; run build bash -c "cat {tmp_path}/log; exit 3"; echo no'
    done = subprocess.run(['bash', '-c', program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and not done.stdout
    assert ('what went wrong first' in done.stderr) == bool(shown) and shown in done.stderr
    assert 'setup_build.log. Repeat the command' in done.stderr.splitlines()[-1]
