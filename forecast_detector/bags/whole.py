"""Image messages that are cut inside: known by their own fields, without decoding good ones."""

from __future__ import annotations

from typing import Any

from ..images import check_image_layout, decode_compressed, is_cut
from ..types import BadFrameError, CutImageError
from .messages import COMPRESSED_IMAGE, IMAGE


def what_is_cut(message: Any, msgtype: str) -> str | None:
    """
    Say what an image lacks whose data end too early.

    What else may be wrong with an image is found when it is decoded: it most often is with all
    images of the topic.

    :returns: None for a whole image, and for messages of other types.
    """
    try:
        if msgtype == IMAGE:
            check_image_layout(message.encoding, message.width, message.height, message.step,
                               len(message.data))
        elif msgtype == COMPRESSED_IMAGE and is_cut(message.data):
            decode_compressed(message.format, message.data)  # the decoder knows exceptions
    except CutImageError as error:
        return str(error)
    except BadFrameError as error:
        return str(error) if msgtype == COMPRESSED_IMAGE else None
    return None
