"""How many threads a process computes with."""

from __future__ import annotations

import cv2
import torch


def use_threads(count: int) -> None:
    """
    Bound the threads of PyTorch, which runs the network, and of OpenCV, which reads the images.

    :param count: of each, at least 1.
    """
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
