"""What a compiled network is prepared for: sizes of its input, and batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
import logging
import time
from typing import Any

from ..boxes import Geometry

Size = tuple[int, int]
# Images that most cameras give, (width, height): prepared for before the first one comes.
USUAL = ((640, 480), (1280, 720))
# So many further sizes are prepared for: each takes memory, and a sender may choose any.
MOST = 8
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

    What is not prepared runs in PyTorch. A network that needs no preparation has no ``prepare``.

    :ivar waited_s: seconds that frames have waited for it so far.
    """

    def __init__(self, network: Any, sizes: Sequence[Size]) -> None:
        """
        Begin.

        :param sizes: (height, width) of the inputs that it is prepared for already.
        """
        self._prepare: Callable[..., None] | None = getattr(network, 'prepare', None)
        self._sizes, self._first = set(sizes), len(set(sizes))
        self._may_beside: bool = getattr(network, 'prepares_beside', True)
        self._beside: ThreadPoolExecutor | None = None
        self.waited_s = 0.0

    def streams(self, count: int, beside: bool) -> None:
        """
        Prepare for steps of so many streams, at most; others are stepped in parts.

        Inputs of sizes that come later are stepped one by one.

        :param beside: whether those are prepared in a thread of their own: frames must not wait.
        """
        if self._prepare is not None:
            for size in self._sizes:
                self._try(size, [2 ** k for k in range(count.bit_length())])
        if beside and self._beside is None:
            self._beside = ThreadPoolExecutor(1, 'preparation')

    def meet(self, size: Size) -> None:
        """See an input of a size, (height, width)."""
        met = len(self._sizes) - self._first
        if size in self._sizes or self._prepare is None or met > MOST:
            return
        self._sizes.add(size)
        if met == MOST:
            _logger.warning(
                'inputs of more than %d sizes have come: those of %dx%d and of further ones are '
                'not compiled, and run in PyTorch', MOST, *size)
        elif self._beside is None:
            started = time.perf_counter()
            self._try(size)
            self.waited_s += time.perf_counter() - started
        elif self._may_beside:
            self._beside.submit(self._try, size)
        else:
            _logger.warning(
                'inputs of %dx%d came after everything was captured, and run in PyTorch; '
                'with resize corner or letterbox all have one size', *size)

    def close(self) -> None:
        """Prepare nothing more beside; what is being prepared ends by itself."""
        if self._beside is not None:
            self._beside.shutdown(wait=False, cancel_futures=True)
            self._beside = None

    def _try(self, size: Size, batches: Sequence[int] = (1,)) -> None:
        assert self._prepare is not None
        try:
            self._prepare(size, batches)
        except Exception as error:  # of the runtime; steps go on with what there is
            several = max(batches) > 1
            _logger.warning(
                'inputs of %dx%d are not compiled%s, and run in %s: %s', *size,
                f' for {max(batches)} a step' if several else '',
                'smaller batches or in PyTorch' if several else 'PyTorch',
                f'{type(error).__name__}: {error}'.partition('\n')[0])
