"""The seam between the engine and a family of detectors."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from ..postprocess import Decoding
from .memory import Maps


class Network(Protocol):
    """
    What the engine asks of a network; it knows no more of it.

    A reader makes features of images, the temporal parts forecast them, a head makes raw outputs
    of them, and a decoding makes boxes and scores of those. Features are one map or a tuple of
    maps at several strides: the engine only cuts and joins them by rows.

    :ivar reduction: how many times smaller than the input the thumbnail is that a FORECAST is
        corrected by; 0 where a FORECAST does not touch its image.
    :ivar fill: grey value of the input where the image does not reach.
    :ivar grey_range: of the thumbnail, in the unit of the surprise.
    :ivar forecasts: whether there is a forecast at all; ``moves``: whether that is dense motion,
        which :meth:`motion` gives.
    """

    @property
    def reduction(self) -> int:
        """How many times smaller than the input a thumbnail is, or 0."""

    @property
    def fill(self) -> int:
        """Grey value of padding."""

    @property
    def grey_range(self) -> float:
        """Range of grey values, in the unit of the surprise."""

    @property
    def forecasts(self) -> bool:
        """Whether there is a forecast."""

    @property
    def moves(self) -> bool:
        """Whether the forecast is dense motion."""

    def read(self, images: Tensor) -> Maps:
        """Make F of images, (B, 3, H, W), RGB, 0..255."""

    def preview(self, thumbnails: Tensor) -> Maps:
        """Make features of thumbnails, (B, 3, H / reduction, W / reduction), RGB, 0..255."""

    def zero_state(self, features: Maps) -> Any:
        """Return the recurrent state before the first frame."""

    def encode(self, features: Maps, state: Any) -> tuple[Maps, Maps, Any]:
        """Return Fc, Ft and the new state."""

    def correct(self, forecast: Maps, preview: Maps, previous: Maps) -> tuple[Maps, Maps]:
        """
        Compare Fc with the thumbnail of the frame that it forecasts.

        :returns: what the scheduler is asked about and :meth:`settle` makes F of, and the
            surprise: what of the picture the forecast does not explain.
        """

    def settle(self, corrected: Maps) -> Maps:
        """
        Make F of a frame that is a FORECAST; a READ is spared this.

        :param corrected: of :meth:`correct`.
        """

    def rest(self, corrected: Maps) -> Maps:
        """
        Give what a FORECAST leaves behind that boxes are carried to, instead of F.

        The scheduler can be asked about the next frame after it; nothing can be detected on it.

        :param corrected: of :meth:`correct`.
        """

    def motion(self, corrected: Maps) -> Tensor:
        """
        Say how the picture moved since the frame before.

        :param corrected: of :meth:`correct`.
        :returns: where what is seen now was before, (B, 2, h, w), right and down, in pixels of
            what :meth:`grey` gives.
        """

    def grey(self, preview: Maps) -> tuple[Tensor, Tensor]:
        """
        Give the picture that motion is measured on, where it moves.

        :returns: (B, 1, h, w), uint8, as it is and prepared for
            :func:`~forecast_detector.flow.dense_flow`.
        """

    def extrapolate(self, forecast: Maps, preview: Maps, previous: Maps) -> Maps:
        """Correct Fc of a frame that has not come yet, by the last two thumbnails."""

    def schedule(self, features: Maps, converted: Maps, surprise: Maps) -> Tensor:
        """Return the scheduler's logits (B, 2); the second is that the forecast serves."""

    def combine(self, features: Maps, converted: Maps) -> Maps:
        """Return Fm, what the head is given."""

    def detect(self, features: Maps) -> Any:
        """Run the head; returns its raw outputs."""

    def decoding(self, input_size: tuple[int, int]) -> Decoding:
        """Return the decoding for an input of (height, width) pixels, on the network's device."""
