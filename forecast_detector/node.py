"""The detector node as it is known without ROS: its parameters, and those who start it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
import re
from typing import cast, get_args

from .config import Backend, Resize
from .limits import MAX_CAMERA_PIXELS, MAX_INPUT_SIDE, MAX_LISTED, MAX_THREADS
from .parameter import check, parameter

DETECTOR = 'forecast_detector.ros.detector_node'
# In its log, before the sentence that says where it runs and why.
DEVICE_MARK = 'device: '
# In its log, where it cannot load its weights or use its device.
UNCONFIGURED_MARK = 'waiting unconfigured'


@dataclass(frozen=True)
class NodeConfig:
    """What the node needs beside :class:`~forecast_detector.config.StreamConfig`."""

    weights: str = parameter(
        'coco', "Shipped weights by name (coco: COCO's 80 classes, such as person, car and dog; "
        'foda: debris on airfields), or the path of a .safetensors file.', fixed='configure',
    )
    weights_sha256: str = parameter(
        '', 'SHA-256 of the weights file, as `forecast-detector info` and sha256sum print it: the '
        'node starts with no other. Empty takes any; a file that carries its own digest is '
        'checked anyway.', fixed='configure',
    )
    device: str = parameter(
        'auto', 'Where the network runs: auto (CUDA where it works, otherwise the CPU), cpu, '
        'cuda, cuda:0 and so on.', fixed='configure',
    )
    backend: str = parameter(
        'auto', 'What runs the network: openvino (compiled, on CPUs), cuda_graphs (captured, on '
        'GPUs), openvino_half and cuda_graphs_half (the same in half precision, where the '
        'processor has it; answers change a little), torch (PyTorch), or auto: openvino on a CPU '
        'where it is installed, cuda_graphs on a GPU, otherwise torch; never half precision.',
        choices=get_args(Backend), fixed='configure',
    )
    cpu_threads: int = parameter(
        0, 'Threads on the CPU, of the network and of OpenCV each, at most as many as there are '
        'cores; 0 leaves it to them.', least=0, most=MAX_THREADS, fixed='configure',
    )
    input_size: tuple[int, ...] = parameter(
        (0, 0), "Height and width of the network's input, pixels, multiples of 32, at most "
        f'{MAX_INPUT_SIDE}; [0, 0] is what the weights were trained with. A smaller input is '
        'faster and loses small objects. Where it is trimmed (resize), this is the most: leave '
        'it square then.',
        fixed='configure', example=(320, 320),
    )
    resize: str = parameter(
        '', 'How an image is laid into the input: letterbox keeps its aspect and pads on all '
        'sides, corner on the right and below, trim (YOLOX only) likewise, but only to the next '
        'multiple of 32: the faster, the less square a picture is; stretch fills. Empty is what '
        'the weights say.',
        choices=('', *get_args(Resize)), fixed='configure',
    )
    image_topics: tuple[str, ...] = parameter(
        ('image_raw',), 'Image topics, one a camera, raw or compressed. Results are published '
        "beside each, in place of its name's last token: /front/image_raw gives /front/detections "
        "and /front/decision. Relative names are in the node's namespace. May be changed at any "
        'time: cameras come and go.',
        example=('/camera/image_raw',),
    )
    lossless: bool = parameter(
        False, 'Process every image, in order, instead of the newest only (replay). Publishers '
        'have to be reliable and to wait for the detector.', fixed='start',
    )
    max_pixels: int = parameter(
        MAX_CAMERA_PIXELS, 'Images that have more pixels, or claim so in their header, are '
        'refused before memory is taken for them, and counted as bad. The default is above 8K '
        'video and what cameras of robots have, 20 million at most; an image of it takes 108 MB.',
        least=1, most=1_000_000_000,
    )
    anticipate: bool = parameter(
        False, 'Whether what the forecast says of the next image is published before it comes, on '
        'anticipated_detections beside the image topic, stamped with the time at which it is '
        'expected. It is computed only while somebody subscribes.',
    )
    max_age_s: float = parameter(
        0.0, 'Images older than this when their turn comes are dropped, seconds; 0 is no limit. '
        "Their stamps have to be of the node's clock.", least=0, most=1e6,
    )
    image_timeout_s: float = parameter(
        2.0, 'A camera that is silent for longer is warned about, seconds.', least=0, most=1e6,
    )
    autostart: bool = parameter(
        True, 'Configure and activate at start; false leaves that to `ros2 lifecycle set`.',
        fixed='start',
    )

    def __post_init__(self) -> None:
        """:raises ValueError: for a value outside its range."""
        check(self)
        if not re.fullmatch(r'([0-9a-fA-F]{64})?', self.weights_sha256):
            raise ValueError(
                f'weights_sha256: {self.weights_sha256[:80]!r} is no SHA-256; expected 64 '
                'hexadecimal digits, or an empty text'
            )
        if len(self.image_topics) > MAX_LISTED:
            raise ValueError(
                f'image_topics: {len(self.image_topics)} topics; at most {MAX_LISTED} cameras '
                'share a node: start another one for the others'
            )
        size = self.input_size
        if max(size, default=0) > MAX_INPUT_SIDE:
            raise ValueError(
                f'input_size: {list(size[:4])}: a side has at most {MAX_INPUT_SIDE} pixels '
                '([0, 0] is the trained size)'
            )
        if len(size) != 2 or any(side < 0 or side % 32 for side in size) or any(size) != all(size):
            raise ValueError(
                f'input_size: {list(size[:4])} is not [height, width] in multiples of 32 '
                '([0, 0] is the trained size)'
            )

    @property
    def given_size(self) -> tuple[int, int] | None:
        """Input size that is asked for, (height, width); None is the trained one."""
        height, width = self.input_size
        return (height, width) if height else None

    @property
    def given_backend(self) -> Backend:
        """What is asked to run the network."""
        return cast(Backend, self.backend)

    @property
    def given_resize(self) -> Resize | None:
        """Way of resizing that is asked for; None is the trained one."""
        return cast(Resize, self.resize) if self.resize else None


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # its package is missing, or blocked
        return False


def require_ros() -> None:
    """
    Make sure that the nodes can run.

    :raises RuntimeError: if this Python has no ROS 2, or lacks the package's messages.
    """
    missing = [
        name
        for name in ('rclpy', 'vision_msgs', 'forecast_detector.msg')
        if not _is_there(name)
    ]
    if missing:
        raise RuntimeError(
            f'ROS 2 is not complete here (no {", ".join(missing)}): source a ROS 2 workspace in '
            'which this package is built; in its source tree, run `make setup` and then this '
            'command behind `scripts/ros_env`, or `make demo`'
        )
