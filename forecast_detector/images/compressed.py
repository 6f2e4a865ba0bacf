"""Compressed images: ``sensor_msgs/CompressedImage`` made RGB as image_transport does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..legible import legible
from ..limits import MAX_PIXELS
from ..types import BadFrameError
from .format_field import CompressedFormat
from .kinds import picture_kind, video_kind
from .picture import decode_mosaic, decode_picture, HEAD
from .raw import as_bytes, Buffer, decode_image


def _refuse_video(image_format: str, head: bytes) -> None:
    """
    Say so where the data are part of a video.

    :raises BadFrameError: with the remedy.
    """
    codec = None if picture_kind(head) else video_kind(head, image_format)
    if codec:
        said_format = legible(image_format)
        raise BadFrameError(
            f"compressed image '{said_format}' is part of a video stream ({codec}), not a still "
            f'picture; republish it as sensor_msgs/Image, for example with '
            f'ffmpeg_image_transport, or have the camera publish JPEG'
        )


def _is_grey_picture(image: NDArray[np.uint8]) -> bool:
    """
    Tell a grey picture from a mosaic of colours.

    In a picture neighbours are more alike than pixels two apart; in a mosaic these have the same
    colour, and neighbours have not.
    """
    values = image[:, :image.shape[1] // 2 * 2].astype(np.int16)
    if min(values.shape) < 4:
        return False
    near = np.abs(np.diff(values, axis=1)).mean() + np.abs(np.diff(values, axis=0)).mean()
    far = (np.abs(values[:, 2:] - values[:, :-2]).mean()
           + np.abs(values[2:] - values[:-2]).mean())
    return bool(near < 0.9 * far)


def _decode_bayer(
    said: CompressedFormat, data: memoryview, max_pixels: int
) -> NDArray[np.uint8]:
    mosaic = decode_mosaic(data, said.target[:3] not in ('rgb', 'bgr'), max_pixels)
    if mosaic is None:  # the publisher made colours of it
        return decode_picture(data, said.is_swapped, max_pixels)
    # Some publishers make grey of the mosaic, and some only say so.
    if said.target == 'mono8' and _is_grey_picture(mosaic):
        return np.repeat(mosaic[..., None], 3, axis=2)
    height, width = mosaic.shape
    return decode_image(said.source.replace('16', '8'), width, height, width, False, mosaic)


def decode_compressed(
    image_format: str, data: Buffer, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """
    Decode a compressed image (JPEG, PNG, whatever OpenCV reads), its pixels as they are stored.

    Channels are in the order that the decoder of ``compressed_image_transport`` finds; a Bayer
    mosaic is turned into colours as a raw one is.

    :param image_format: field ``format`` of the message, such as ``rgb8; jpeg compressed bgr8``.
    :param max_pixels: a picture that claims more is refused before anything is allocated.
    :returns: (H, W, 3), uint8, RGB; 16 bits keep their upper byte.
    :raises BadFrameError: says what came, what was expected, and the remedy.
    """
    said, said_format = CompressedFormat.parse(image_format), legible(image_format)
    if said.is_depth:
        raise BadFrameError(
            f"format '{said_format}' is a depth image, without colours to detect in; choose "
            f"the camera's colour topic"
        )
    # JPEGs carry their orientation for people; a camera's pixels are taken as they are.
    flat = as_bytes(data).data
    if len(flat) == 0:
        raise BadFrameError(
            f"compressed image '{said_format}' has no data; check the publisher or the link"
        )
    _refuse_video(image_format, bytes(flat[:HEAD]))
    try:
        if said.is_bayer:
            return _decode_bayer(said, flat, max_pixels)
        return decode_picture(flat, said.is_swapped, max_pixels)
    except BadFrameError as error:
        raise BadFrameError(
            f"compressed image '{said_format}' of {len(flat)} bytes {error}; check the "
            f'publisher or the link'
        ) from error
