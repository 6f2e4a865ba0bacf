"""Where frames become features: the one part of the engine that touches images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..boxes import Geometry
from ..config import Resize
from ..kept import SmallPicture
from ..layout import stacked, tensor
from ..preprocess import lay_image
from ..types import BadFrameError, Frame
from .memory import Maps
from .network import Network


class Loaded(Protocol):
    """A frame whose image is at hand: how that lies in the network's input."""

    @property
    def geometry(self) -> Geometry:
        """How the image lies in the network's input."""


class Reader(Protocol):
    """Makes features of frames: of live images, or taken from where they were stored earlier."""

    def load(self, frame: Frame) -> Any:
        """
        Get hold of a frame's image; returns a :class:`Loaded`.

        :raises BadFrameError: if it cannot be used.
        """

    def read(self, loaded: Sequence[Any]) -> Maps:
        """Give F of frames, one row each."""

    def preview(self, loaded: Sequence[Any]) -> Maps:
        """Give features of the thumbnails of frames, one row each."""

    def picture(self, loaded: Any) -> SmallPicture:
        """Give what the motion of boxes is measured on."""


@dataclass(frozen=True)
class LoadedImage:
    """
    A frame's image.

    :ivar image: (H, W, 3), uint8, RGB.
    :ivar geometry: how it lies in the network's input.
    """

    image: NDArray[np.uint8]
    geometry: Geometry


class FrameReader:
    """Decodes frames, and runs what sees images: backbone and neck, or the stages of a peek."""

    def __init__(
        self, network: Network, device: torch.device, input_size: tuple[int, int],
        resize: Resize,
    ) -> None:
        """
        Prepare for an input size.

        :param input_size: (height, width) of the network's input.
        """
        self.network, self.device = network, device
        self.input_size, self.resize = input_size, resize

    @property
    def whole(self) -> FrameReader:
        """One that does not trim the input."""
        if self.resize != 'trim':
            return self
        return type(self)(self.network, self.device, self.input_size, 'corner')

    def load(self, frame: Frame) -> LoadedImage:
        """
        Decode a frame and check what came.

        :raises BadFrameError: if it is no such image.
        """
        image = load_image(frame)
        size = (image.shape[1], image.shape[0])
        return LoadedImage(image, Geometry.fit(size, self.input_size, self.resize))

    def read(self, loaded: Sequence[LoadedImage]) -> Maps:
        """Read F of frames, whose inputs are of one size."""
        return self.network.read(self._batch(
            [self._lay(one.image, one.geometry) for one in loaded]
        ))

    def preview(self, loaded: Sequence[LoadedImage]) -> Maps:
        """Run the first stages on thumbnails of frames, whose inputs are of one size."""
        times = self.network.reduction
        return self.network.preview(self._batch([
            self._lay(one.image, one.geometry.reduced(times, self.resize)) for one in loaded
        ]))

    def picture(self, loaded: LoadedImage) -> SmallPicture:
        """Make a small grey picture of a frame."""
        return SmallPicture.of(loaded.image, loaded.geometry.image_size)

    def _lay(self, image: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
        laid = lay_image(image, geometry, self.network.fill)
        # A thumbnail is remembered, and whoever gave the image may write the next one there.
        return laid.copy() if laid is image else laid

    def _batch(self, images: list[NDArray[np.uint8]]) -> Tensor:
        return tensor(stacked(images)).to(self.device)


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
