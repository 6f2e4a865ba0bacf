"""Images resized on a GPU, for networks whose parts run there as graphs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..boxes import Geometry
from ..config import Resize
from ..layout import stacked, tensor
from ..resizing import Size, weights
from .memory import Maps
from .network import Network
from .reading import FrameReader, LoadedImage

# Image and laid sizes whose matrices are kept: 4 MB from 1920x1080 to 416x234.
KEPT = 16


class GpuReader(FrameReader):
    """
    Uploads the images of READs as they are, and lays them there.

    Pixels differ from those laid on the CPU by rounding: by 1, or 2 where an image is halved
    on the way. Thumbnails are laid on the CPU and stay there, so that a FORECAST uploads no
    image, and as motion is found there.
    """

    def __init__(
        self, network: Network, device: torch.device, input_size: tuple[int, int],
        resize: Resize,
    ) -> None:
        super().__init__(network, device, input_size, resize)
        self._matrices = lru_cache(KEPT)(self._make_matrices)

    def read(self, loaded: Sequence[LoadedImage]) -> Maps:
        """Read F of frames, whose inputs are of one size."""
        laid = [self._lay_there(one.image, one.geometry) for one in loaded]
        return self.network.read(torch.stack(laid).permute(0, 3, 1, 2))

    def _lay_there(self, image: NDArray[np.uint8], geometry: Geometry) -> Tensor:
        """Give (height, width, 3) of the input, uint8, on the device."""
        width, height = geometry.laid_size
        there = self._upload(image)
        if (width, height) != geometry.image_size:
            columns, rows = self._matrices(geometry.image_size, (width, height))
            squeezed = (columns @ there.float().flatten(1)).unflatten(1, there.shape[1:])
            there = (rows @ squeezed).round().to(torch.uint8)
        if (height, width) == geometry.input_size:
            return there
        canvas = there.new_full((*geometry.input_size, 3), self.network.fill)
        x, y = geometry.offset
        canvas[y:y + height, x:x + width] = there
        return canvas

    def _upload(self, image: NDArray[np.uint8]) -> Tensor:
        # From pinned memory nobody waits for the copy.
        pinned = torch.empty(image.shape, dtype=torch.uint8, pin_memory=True)
        pinned.numpy()[...] = image
        return pinned.to(self.device, non_blocking=True)

    def _make_matrices(self, image: Size, laid: Size) -> tuple[Tensor, Tensor]:
        columns, rows = (torch.from_numpy(one) for one in weights(image, laid))
        return columns.to(self.device), rows.to(self.device)

    def _batch(self, images: list[NDArray[np.uint8]]) -> Tensor:
        return tensor(stacked(images))
