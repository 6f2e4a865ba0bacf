"""
Play a bag to the detector, with the time of its recording.

    ros2 launch forecast_detector replay.launch.py bag:=my_bag image_topics:=/front/image_raw

Arguments of detector.launch.py are taken, too. To measure a bag, `forecast-detector replay` is the
tool: it loses no image.
"""

from pathlib import Path
import runpy

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.substitutions import LaunchConfiguration

from launch import LaunchContext, LaunchDescription

HERE = Path(__file__).resolve().parent
DETECTOR, VIEW = (runpy.run_path(f'{HERE}/{name}.launch.py') for name in ('detector', 'view'))
ARGUMENTS = [
    DeclareLaunchArgument('bag', description='Folder or file of the bag.'),
    DeclareLaunchArgument('rate', default_value='1.0', description='Times the recorded speed.'),
    DeclareLaunchArgument(
        'loop', default_value='false', choices=['true', 'false'],
        description='Begin again at the end; the streams are reset there.',
    ),
    DeclareLaunchArgument(
        'delay', default_value='5.0',
        description='Seconds to wait before playing, for the detector to load its weights.',
    ),
    DeclareLaunchArgument(
        'view', default_value='', description='Camera whose overlay RViz shows, such as /front; '
        'empty shows none.',
    ),
    *DETECTOR['passed_on']('use_sim_time'),
]


def start(context: LaunchContext) -> list:
    """Start the detector on the bag's time, and the player."""
    value = {name: LaunchConfiguration(name).perform(context) for name in (
        'bag', 'rate', 'loop', 'delay', 'view')}
    if not Path(value['bag']).exists():
        raise RuntimeError(f'bag:={value["bag"]} does not exist; expected a bag')
    DETECTOR['require']('ros2bag', '`forecast-detector replay`, which reads it itself')
    if value['view']:
        VIEW['require_rviz']()
    command = ['ros2', 'bag', 'play', value['bag'], '--clock', '--rate', value['rate'],
               '--delay', value['delay'], *(['--loop'] if value['loop'] == 'true' else [])]
    actions = [
        IncludeLaunchDescription(
            f'{HERE}/detector.launch.py', launch_arguments=[('use_sim_time', 'true')]),
        ExecuteProcess(cmd=command, output='screen'),
    ]
    if value['view']:
        actions.append(IncludeLaunchDescription(
            f'{HERE}/view.launch.py', launch_arguments=[('camera', value['view'])]))
    return actions


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start all."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
