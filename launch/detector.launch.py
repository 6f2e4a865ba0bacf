"""Start the detector: ``ros2 launch forecast_detector detector.launch.py --show-args``."""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

PARAMETERS_FILE = Path(__file__).resolve().parent.parent / 'config' / 'detector.yaml'
FROM_FILE = '(empty: as params_file says)'

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
        choices=['', 'true', 'false'],
        description=f'Take the time from /clock (simulation, replayed bags) {FROM_FILE}.',
    ),
    DeclareLaunchArgument(
        'log_level',
        default_value='info',
        choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='Least severe log messages of the node that are shown.',
    ),
    DeclareLaunchArgument(
        'autostart',
        default_value='',
        choices=['', 'true', 'false'],
        description='Configure and activate the node at start; false leaves that to '
        f'`ros2 lifecycle set` {FROM_FILE}.',
    ),
    DeclareLaunchArgument(
        'image_topics',
        default_value='',
        description='Image topics, one a camera, separated by commas; those that end in '
        f'/compressed carry compressed images {FROM_FILE}.',
    ),
    DeclareLaunchArgument(
        'weights',
        default_value='',
        description=f'Shipped weights by name (foda, synthetic) or a file {FROM_FILE}.',
    ),
    DeclareLaunchArgument(
        'p',
        default_value='',
        description='Threshold of the scheduler in [0, 1]; the next frame is a FORECAST if its '
        f'confidence is greater; 1 reads every frame {FROM_FILE}.',
    ),
    DeclareLaunchArgument(
        'device',
        default_value='',
        description=f'auto, cpu, cuda or cuda:N {FROM_FILE}.',
    ),
    DeclareLaunchArgument(
        'lossless',
        default_value='',
        choices=['', 'true', 'false'],
        description='Process every image in order instead of the newest only (replay) '
        f'{FROM_FILE}.',
    ),
]


def split_topics(text: str) -> list[str]:
    """Split names at commas; the brackets and quotes of a YAML list do no harm."""
    names = (name.strip().strip('\'"') for name in text.strip().strip('[]').split(','))
    return [name for name in names if name]


def fraction(text: str) -> float:
    """
    Read a number.

    :raises RuntimeError: if it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise RuntimeError(f'p:={text} is not a number; expected one in [0, 1]') from None


CONVERSIONS = {
    'use_sim_time': lambda text: text == 'true',
    'autostart': lambda text: text == 'true',
    'image_topics': split_topics,
    'weights': str,
    'p': fraction,
    'device': str,
    'lossless': lambda text: text == 'true',
}


def start(context: LaunchContext) -> list[Node]:
    """Start the node; only arguments that were given override the parameter file."""
    given = {name: LaunchConfiguration(name).perform(context) for name in CONVERSIONS}
    overrides = {name: CONVERSIONS[name](text) for name, text in given.items() if text}
    node = Node(
        package='forecast_detector',
        executable='detector_node',
        name='detector',
        namespace=LaunchConfiguration('namespace'),
        output='screen',
        parameters=[LaunchConfiguration('params_file'), *([overrides] if overrides else [])],
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
    )
    return [node]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start the node."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
