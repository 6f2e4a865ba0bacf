"""What several test modules share: samples, and what makes them."""

import struct

import cv2
import numpy as np

GREYS = [20 * k for k in range(10)]


def write_video(path, greys=GREYS):
    """Write one flat frame a grey value, 64x48, 25 frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (64, 48))
    for grey in greys:
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()


def grey(image):
    """Tell which of the flat frames this is."""
    return int(np.argmin([abs(float(image.mean()) - g) for g in GREYS]))


def turn(path, matrix):
    """Give an MP4 another display matrix."""
    data = bytearray(path.read_bytes())
    at = data.index(b'tkhd') + 4 + 4 + 20 + 16
    data[at:at + 36] = struct.pack('>9i', *matrix)
    path.write_bytes(data)


QUARTER = (0, 65536, 0, -65536, 0, 0, 48 << 16, 0, 1 << 30)
