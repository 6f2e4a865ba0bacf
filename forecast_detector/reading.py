"""Where frames become features: the one part of the engine that touches images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from .boxes import Geometry
from .model.network import ForecastNetwork
from .preprocess import lay_image
from .types import BadFrameError, Frame


@dataclass(frozen=True)
class LoadedFrame:
    """
    A frame with its image.

    :ivar stream: name of the stream that it belongs to.
    :ivar image: (H, W, 3), uint8, RGB.
    :ivar geometry: how the image lies in the network's input.
    """

    stream: str
    frame: Frame
    image: NDArray[np.uint8]
    geometry: Geometry


class FrameReader:
    """
    Decodes frames, and runs what looks at images: backbone and neck, or the peek's stages.

    Measuring puts another in its place, to keep features between passes over the same frames.
    """

    def __init__(
        self,
        network: ForecastNetwork,
        device: torch.device,
        input_size: tuple[int, int],
        letterbox: bool,
    ) -> None:
        """
        Prepare for an input size.

        :param input_size: (height, width) of the network's input.
        """
        self.network, self.device = network, device
        self.input_size, self.letterbox = input_size, letterbox
        peek = network.config.peek or 1
        self.thumbnail_size = (input_size[0] // peek, input_size[1] // peek)

    def load(self, stream: str, frame: Frame) -> LoadedFrame:
        """
        Decode a frame and check what came.

        :raises BadFrameError: if it is no such image.
        """
        image = load_image(frame)
        size = (image.shape[1], image.shape[0])
        geometry = Geometry.fit(size, self.input_size, self.letterbox)
        return LoadedFrame(stream, frame, image, geometry)

    def read(self, frames: Sequence[LoadedFrame]) -> Tensor:
        """Read F of frames, (B, C, h, w)."""
        return self.network.read(self._batch(
            [lay_image(f.image, f.geometry, self.input_size) for f in frames]
        ))

    def look(self, frames: Sequence[LoadedFrame]) -> Tensor:
        """Look at thumbnails of frames, (B, L, h, w)."""
        size = self.thumbnail_size
        return self.network.look(self._batch([
            lay_image(f.image, Geometry.fit(f.geometry.image_size, size, self.letterbox), size)
            for f in frames
        ]))

    def _batch(self, images: list[NDArray[np.uint8]]) -> Tensor:
        return torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2)


def load_image(frame: Frame) -> NDArray[np.uint8]:
    """
    Decode a frame and check what came.

    :returns: (H, W, 3), uint8, RGB.
    :raises BadFrameError: if it is no such image.
    """
    try:
        image = frame.load()
    except BadFrameError:
        raise
    except Exception as error:
        # Whatever a decoder makes of damaged data, it must not take other streams along.
        raise BadFrameError(f'image cannot be decoded: {type(error).__name__}: {error}') from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise BadFrameError(
            f'image is {image.shape}, {image.dtype}; expected (height, width, 3), uint8, with '
            'at least one pixel'
        )
    return image
