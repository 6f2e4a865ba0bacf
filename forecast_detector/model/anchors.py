"""Anchors (default boxes) and their box coding (Liu et al., SSD, 2016)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..config import AnchorConfig

# SSD's variances: they bring the regression targets to unit scale.
CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2
# exp() of more than this is a box of thousands of times its anchor: an overflow, not a box.
MAX_LOG_SIZE = 5.0


def make_anchors(
    config: AnchorConfig, map_sizes: list[tuple[int, int]], input_size: tuple[int, int]
) -> Tensor:
    """
    Lay the anchors of every cell of every level, in the order of the head's outputs.

    :param map_sizes: (height, width) of each head level, cells.
    :param input_size: (height, width) of the network input, pixels. A scale is a share of the
        geometric mean of both sides.
    :returns: (A, 4), float32, centre x, centre y, width, height in input pixels.
    """
    side = (input_size[0] * input_size[1]) ** 0.5
    levels = []
    for (rows, columns), shapes, places in zip(map_sizes, config.shapes, config.subdivisions):
        sizes = torch.tensor(
            [(side * scale * ratio**0.5, side * scale / ratio**0.5) for scale, ratio in shapes]
        )
        within = (torch.arange(places) + 0.5) / places
        y = (torch.arange(rows)[:, None] + within) * input_size[0] / rows
        x = (torch.arange(columns)[:, None] + within) * input_size[1] / columns
        grid = (rows, columns, places, places, len(sizes))
        levels.append(
            torch.stack(
                [
                    x[None, :, None, :, None].expand(grid),
                    y[:, None, :, None, None].expand(grid),
                    sizes[:, 0].expand(grid),
                    sizes[:, 1].expand(grid),
                ],
                dim=-1,
            ).reshape(-1, 4)
        )
    return torch.cat(levels)


def cxcywh_to_xyxy(boxes_cxcywh: Tensor) -> Tensor:
    """Centre and size to corners, (..., 4)."""
    half = boxes_cxcywh[..., 2:] / 2
    return torch.cat([boxes_cxcywh[..., :2] - half, boxes_cxcywh[..., :2] + half], dim=-1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Corners to centre and size, (..., 4)."""
    size = boxes[..., 2:] - boxes[..., :2]
    return torch.cat([boxes[..., :2] + size / 2, size], dim=-1)


def encode_boxes(boxes: Tensor, anchors_cxcywh: Tensor) -> Tensor:
    """
    Turn boxes into regression targets relative to their anchors.

    :param boxes: (N, 4), xyxy, input pixels, of positive size.
    :param anchors_cxcywh: (N, 4).
    """
    boxes_cxcywh = xyxy_to_cxcywh(boxes)
    centre = (boxes_cxcywh[:, :2] - anchors_cxcywh[:, :2]) / anchors_cxcywh[:, 2:]
    size = torch.log(boxes_cxcywh[:, 2:] / anchors_cxcywh[:, 2:])
    return torch.cat([centre / CENTRE_VARIANCE, size / SIZE_VARIANCE], dim=1)


def decode_boxes(bbox_regression: Tensor, anchors_cxcywh: Tensor) -> Tensor:
    """
    Turn regressions back into boxes; the inverse of :func:`encode_boxes`.

    :param bbox_regression: (..., A, 4).
    :param anchors_cxcywh: (A, 4).
    :returns: (..., A, 4), xyxy, input pixels.
    """
    anchor_size = anchors_cxcywh[:, 2:]
    centre = bbox_regression[..., :2] * CENTRE_VARIANCE * anchor_size + anchors_cxcywh[:, :2]
    log_size = (bbox_regression[..., 2:] * SIZE_VARIANCE).clamp(max=MAX_LOG_SIZE)
    return cxcywh_to_xyxy(torch.cat([centre, log_size.exp() * anchor_size], dim=-1))
