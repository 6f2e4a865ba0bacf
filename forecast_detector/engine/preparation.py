"""What a compiled network is prepared for: sizes of its input, and batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
import logging
from typing import Any

from ..boxes import Geometry

Size = tuple[int, int]
# Images that most cameras give, (width, height): prepared for before the first one comes.
USUAL = ((640, 480), (1280, 720))
_logger = logging.getLogger(__name__)


def usual_sizes(input_size: Size, resize: str) -> list[Size]:
    """
    Give the sizes of the input, (height, width), that images of usual shapes are laid into.

    :param input_size: (height, width), at most.
    """
    laid = (Geometry.fit(image, input_size, resize).input_size for image in USUAL)
    return list(dict.fromkeys(laid))


class Preparation:
    """
    Prepares a network for the inputs that come, once each.

    What is not prepared yet runs in PyTorch. One that needs no preparation has no ``prepare``.
    """

    def __init__(self, network: Any, sizes: Sequence[Size]) -> None:
        """
        Begin.

        :param sizes: (height, width) of the inputs that it is prepared for already.
        """
        self._prepare: Callable[..., None] | None = getattr(network, 'prepare', None)
        self._sizes, self._batches = set(sizes), [1]
        self._beside: ThreadPoolExecutor | None = None

    def streams(self, count: int, beside: bool) -> None:
        """
        Prepare for steps of so many streams, at most; others are stepped in parts.

        :param beside: whether sizes that come later are prepared in a thread of their own, as
            frames must not wait.
        """
        self._batches = [2 ** k for k in range(count.bit_length())]
        for size in self._sizes:
            self._do(size)
        if beside and self._beside is None:
            self._beside = ThreadPoolExecutor(1, 'preparation')

    def meet(self, size: Size) -> None:
        """See an input of a size, (height, width)."""
        if size in self._sizes or self._prepare is None:
            return
        self._sizes.add(size)
        if self._beside is None:
            self._do(size)
        else:
            self._beside.submit(self._try, size)

    def _do(self, size: Size) -> None:
        if self._prepare is not None:
            self._prepare(size, self._batches)

    def _try(self, size: Size) -> None:
        try:
            self._do(size)
        except Exception as error:  # of the runtime; steps of this size go on in PyTorch
            _logger.warning(
                'inputs of %dx%d are not compiled, and run in PyTorch: %s: %s', *size,
                type(error).__name__, error)
