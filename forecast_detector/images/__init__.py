"""
Pixels of ROS image messages and of image files, without ROS: checked cheaply, decoded late.

The functions take the fields of ``sensor_msgs/Image`` and ``sensor_msgs/CompressedImage``, or
the bytes of a file.
"""

from .claimed import check_frame_id
from .compressed import decode_compressed
from .ends import is_cut
from .format_field import CompressedFormat
from .kinds import picture_kind
from .orientation import orientation_of, turn
from .picture import decode_picture, pixels_claimed
from .quiet import quiet
from .raw import check_image_layout, decode_image, ENCODINGS

__all__ = [
    'check_frame_id', 'check_image_layout', 'CompressedFormat', 'decode_compressed',
    'decode_image', 'decode_picture', 'ENCODINGS', 'is_cut', 'orientation_of', 'picture_kind',
    'pixels_claimed', 'quiet', 'turn',
]
