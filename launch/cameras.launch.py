"""
Start cameras of this machine and one detector for all of them.

    ros2 launch forecast_detector cameras.launch.py cameras:=front:/dev/video0,rear:/dev/video2
    ros2 launch forecast_detector cameras.launch.py driver:=v4l2_camera transport:=compressed

Arguments of detector.launch.py are taken, too.
"""

from pathlib import Path
import runpy

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

HERE = Path(__file__).resolve().parent
DETECTOR, VIEW = (runpy.run_path(f'{HERE}/{name}.launch.py') for name in ('detector', 'view'))
# Package to its executable; both publish image_raw, and by image_transport image_raw/compressed.
DRIVERS = {'usb_cam': 'usb_cam_node_exe', 'v4l2_camera': 'v4l2_camera_node'}
ARGUMENTS = [
    DeclareLaunchArgument(
        'cameras', default_value='camera:/dev/video0',
        description='NAME:DEVICE of each camera, separated by commas; a camera of name front '
        'publishes /front/image_raw.',
    ),
    DeclareLaunchArgument(
        'driver', default_value='usb_cam', choices=list(DRIVERS),
        description='Package of the camera driver.',
    ),
    DeclareLaunchArgument(
        'transport', default_value='raw', choices=['raw', 'compressed'],
        description='What the detector subscribes to; compressed needs '
        'compressed_image_transport beside the driver.',
    ),
    DeclareLaunchArgument(
        'view', default_value='false', choices=['true', 'false'],
        description="Show the first camera's overlay in RViz.",
    ),
    *DETECTOR['passed_on']('image_topics'),
]


def split_cameras(text: str) -> dict[str, str]:
    """
    Split pairs of name and device.

    :raises RuntimeError: for another form, or a name that comes twice.
    """
    found: dict[str, str] = {}
    for pair in (part.strip() for part in text.split(',')):
        name, _, device = pair.partition(':')
        if not name or not device or name in found:
            raise RuntimeError(
                f'cameras:={text}: {pair!r} is not one NAME:DEVICE, such as front:/dev/video0')
        found[name] = device
    return found


def start(context: LaunchContext) -> list:
    """Start a driver for each camera, the detector, and a viewer if that is wanted."""
    value = {name: LaunchConfiguration(name).perform(context) for name in (
        'cameras', 'driver', 'transport', 'view')}
    cameras = split_cameras(value['cameras'])
    others = [f'driver:={name}' for name in DRIVERS if name != value['driver']]
    DETECTOR['require'](value['driver'], ' or '.join(others))
    if value['view'] == 'true':
        VIEW['require_rviz']()
    tail = '/compressed' if value['transport'] == 'compressed' else ''
    topics = [f'/{name}/image_raw{tail}' for name in cameras]
    # First, as it sets the environment of all that comes after it.
    actions = [IncludeLaunchDescription(
        f'{HERE}/detector.launch.py', launch_arguments=[('image_topics', ','.join(topics))])]
    actions += [
        Node(
            package=value['driver'], executable=DRIVERS[value['driver']], name='driver',
            namespace=name, output='screen', parameters=[{'video_device': device}],
        ) for name, device in cameras.items()
    ]
    if value['view'] == 'true':
        actions.append(IncludeLaunchDescription(
            f'{HERE}/view.launch.py', launch_arguments=[('camera', f'/{next(iter(cameras))}')]))
    return actions


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start all."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
