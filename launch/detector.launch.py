"""Start the detector: ``ros2 launch forecast_detector detector.launch.py --show-args``."""

from collections.abc import Sequence
from difflib import get_close_matches
import os
from pathlib import Path
import re
import signal
import sys

from ament_index_python.packages import get_package_prefix
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

CONFIG = Path(__file__).resolve().parent.parent / 'config'
PARAMETERS_FILE, FASTDDS_FILE = CONFIG / 'detector.yaml', CONFIG / 'fastdds.xml'
# Where Fast DDS reads its profiles from: the second name is that of Humble, Iron and Jazzy.
PROFILES = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'
FROM_FILE = '(empty: as params_file says)'
SWITCH = ['', 'true', 'false']


def comment_on(name: str) -> str:
    """Read what the package's parameter file says above a parameter."""
    text = PARAMETERS_FILE.read_text(encoding='utf-8') if PARAMETERS_FILE.is_file() else ''
    found = re.search(rf'((?:^ *# .*\n)+) *{name}:', text, re.MULTILINE)
    lines = found[1].splitlines() if found else [f'Parameter {name} of the node.']
    return ' '.join(line.strip(' #') for line in lines)


def overriding(name: str, choices: list[str] | None = None) -> DeclareLaunchArgument:
    """Declare an argument that overrides a parameter of the file, where it is not empty."""
    comment = comment_on(name)
    if found := re.search(r' One of ([\w, ]+);', comment):
        choices = ['', *found[1].split(', ')]
    return DeclareLaunchArgument(
        name, default_value='', choices=choices, description=f'{comment} {FROM_FILE}'
    )


ARGUMENTS = [
    DeclareLaunchArgument(
        'namespace', default_value='', description='Namespace of the node and its topics.'
    ),
    DeclareLaunchArgument(
        'params_file',
        default_value=str(PARAMETERS_FILE),
        description='YAML file with the parameters of the node.',
    ),
    DeclareLaunchArgument(
        'use_sim_time',
        default_value='',
        choices=SWITCH,
        description=f'Take the time from /clock (simulation, replayed bags) {FROM_FILE}.',
    ),
    DeclareLaunchArgument(
        'log_level',
        default_value='info',
        choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='Least severe log messages of the node that are shown.',
    ),
    DeclareLaunchArgument(
        'fastdds_profiles', default_value=str(FASTDDS_FILE),
        description='Profiles of Fast DDS for all that is started here: buffers that hold images. '
        'Not used where the environment names others; empty sets none.',
    ),
    DeclareLaunchArgument(
        'respawn', default_value='false', choices=['true', 'false'],
        description='Start the node again when it ends, after two seconds.',
    ),
    overriding('autostart', SWITCH),
    overriding('image_topics'),
    overriding('weights'),
    overriding('policy'),
    overriding('p'),
    overriding('read_every'),
    overriding('track', SWITCH),
    overriding('device'),
    overriding('backend'),
    overriding('lossless', SWITCH),
]


def split_topics(text: str) -> list[str]:
    """
    Split names at commas; the brackets and quotes of a YAML list do no harm.

    :raises RuntimeError: if there is none.
    """
    names = (name.strip().strip('\'"') for name in text.strip().strip('[]').split(','))
    found = [name for name in names if name]
    if not found:
        raise RuntimeError(
            f'image_topics:={text} names no topic; expected one or more, such as '
            'image_topics:=/front/image_raw,/rear/image_raw'
        )
    return found


def fraction(text: str) -> float:
    """
    Read a number.

    :raises RuntimeError: if it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise RuntimeError(f'p:={text} is not a number. {comment_on("p")}') from None


def whole(text: str) -> int:
    """
    Read a whole number.

    :raises RuntimeError: if it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise RuntimeError(
            f'read_every:={text} is not a whole number. {comment_on("read_every")}') from None


CONVERSIONS = {
    'use_sim_time': lambda text: text == 'true',
    'autostart': lambda text: text == 'true',
    'image_topics': split_topics,
    'weights': str,
    'policy': str,
    'p': fraction,
    'read_every': whole,
    'track': lambda text: text == 'true',
    'device': str,
    'backend': str,
    'lossless': lambda text: text == 'true',
}


def check_file(path: str) -> None:
    """
    Check the parameter file: without it, launch would start the node with its defaults.

    :raises RuntimeError: if there is none.
    """
    if not Path(path).is_file():
        what = 'is a folder' if Path(path).is_dir() else 'does not exist'
        raise RuntimeError(f'params_file:={path} {what}; expected a YAML file with parameters')


def unknown_arguments(command_line: Sequence[str]) -> list[str]:
    """
    Say of each argument that this file does not have that it is not used.

    Launch passes over them. Where another launch file includes this one, they are that file's.
    """
    if not any(Path(word).name == Path(__file__).name for word in command_line):
        return []
    known = [argument.name for argument in ARGUMENTS]
    lines = []
    for name in dict.fromkeys(w.partition(':=')[0] for w in command_line if ':=' in w):
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.75)
            advice = f'did you mean {near[0]}?' if near else 'parameters go into params_file'
            lines.append(f'there is no launch argument {name}: it is not used; {advice}')
    return lines


def passed_on(*given: str) -> list[DeclareLaunchArgument]:
    """
    List the arguments of this file, for one that includes it: launch shows only its own.

    :param given: names of those that it gives itself.
    """
    return [argument for argument in ARGUMENTS if argument.name not in given]


def require(package: str, otherwise: str) -> None:
    """
    Look a package up before anything is started, as that would stay behind at an error.

    :param otherwise: what to do without it.
    :raises RuntimeError: if it is not installed; names the remedy.
    """
    try:
        get_package_prefix(package)
    except LookupError:
        distro = os.environ.get('ROS_DISTRO', '$ROS_DISTRO')
        raise RuntimeError(
            f'package {package} is not installed: `sudo apt install '
            f'ros-{distro}-{package.replace("_", "-")}`, or {otherwise}'
        ) from None


def warn(lines: Sequence[str]) -> None:
    """Log warnings as launch does; empty ones are none."""
    for line in filter(None, lines):
        from launch.logging import get_logger

        get_logger('launch.user').warning(line)


def obituary(name: str, status: int, respawn: bool) -> str:
    """
    Say that the node died, of what, and what to do; '' for an end that was asked for.

    :param status: of the process; negative is the signal that ended it.
    """
    if status in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM):
        return ''
    if status == -signal.SIGKILL:
        cause = 'was killed, as where memory is short (dmesg says so); use smaller weights then'
    elif status < 0:
        cause = f'crashed ({signal.Signals(-status).name}); report its last lines'
    else:
        cause = f'died (exit status {status}); correct what its last lines name'
    then = 'it is started again' if respawn else 'respawn:=true starts it again by itself'
    return f'{name} {cause}; {then}'


def set_profiles(context: LaunchContext) -> list[SetEnvironmentVariable]:
    """Let the processes that start from here on have buffers for images, in Fast DDS."""
    path = LaunchConfiguration('fastdds_profiles').perform(context)
    if not path or any(name in os.environ for name in PROFILES):
        return []
    name = PROFILES[os.environ.get('ROS_DISTRO', '') in ('humble', 'iron', 'jazzy')]
    return [SetEnvironmentVariable(name, path)]


def start(context: LaunchContext) -> list[Node]:
    """Start the node; only arguments that were given override the parameter file."""
    warn(unknown_arguments(sys.argv))
    check_file(LaunchConfiguration('params_file').perform(context))
    given = {name: LaunchConfiguration(name).perform(context) for name in CONVERSIONS}
    overrides = {name: CONVERSIONS[name](text) for name, text in given.items() if text}
    respawn = LaunchConfiguration('respawn').perform(context) == 'true'

    def say_why(event: ProcessExited, context: LaunchContext) -> None:
        if not context.is_shutdown:
            warn([obituary(event.process_name, event.returncode, respawn)])

    node = Node(
        package='forecast_detector',
        executable='detector_node',
        name='detector',
        namespace=LaunchConfiguration('namespace'),
        output='screen',
        respawn=respawn,
        respawn_delay=2.0,
        on_exit=say_why,
        parameters=[LaunchConfiguration('params_file'), *([overrides] if overrides else [])],
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
    )
    return [node]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start the node."""
    return LaunchDescription([
        *ARGUMENTS, OpaqueFunction(function=set_profiles), OpaqueFunction(function=start)])
