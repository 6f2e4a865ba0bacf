"""Show a camera's overlay and surprise in RViz; for Foxglove: config/foxglove.json."""

from pathlib import Path
import runpy

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

HERE = Path(__file__).resolve().parent
DETECTOR = runpy.run_path(f'{HERE}/detector.launch.py')
RVIZ = HERE.parent / 'config' / 'detector.rviz'
ARGUMENTS = [
    DeclareLaunchArgument(
        'camera', default_value='/camera',
        description='Namespace of the image topic: /front shows /front/overlay and '
        '/front/surprise.',
    ),
]


def require_rviz() -> None:
    """:raises RuntimeError: if RViz is not installed; names the remedy."""
    DETECTOR['require'](
        'rviz2', 'open config/foxglove.json in Foxglove (with view:=, leave it out)')


def start(context: LaunchContext) -> list[Node]:
    """Start RViz with the topics of the camera."""
    require_rviz()
    camera = '/' + LaunchConfiguration('camera').perform(context).strip('/')
    shown = ('overlay', 'surprise')
    return [Node(
        package='rviz2', executable='rviz2', name='detector_view', output='screen',
        arguments=['--display-config', str(RVIZ)],
        remappings=[(f'/camera/{name}', f'{camera.rstrip("/")}/{name}') for name in shown],
    )]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start the viewer."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
