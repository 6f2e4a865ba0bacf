"""The strongest candidates of each image, found on a GPU: so many, whatever is in the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..postprocess import CANDIDATES, Decoding, Found

# Columns of the table: four of the box, then these.
SCORE, LABEL = 4, 5


def strongest(decoding: Decoding, raw: Any) -> Tensor:
    """
    Find as many candidates as suppression takes; nothing depends on how many are sure enough.

    :param decoding: of the network; ``raw``: outputs of its head.
    :returns: (B, n, 6), box (xyxy in input pixels), score and label, by falling score.
    """
    scores = decoding.scores(raw)
    images, classes = len(scores), scores.shape[2]
    score, at = scores.flatten(1).topk(min(CANDIDATES, scores[0].numel()))
    candidate, label = at // classes, at % classes
    image = torch.arange(images, device=at.device)[:, None].expand_as(at)
    boxes = decoding.boxes(raw, image.flatten(), candidate.flatten()).unflatten(0, at.shape)
    return torch.cat([boxes, score[..., None], label[..., None].to(score.dtype)], dim=2)


class Candidates:
    """What :func:`strongest` gives, fetched from the device at once."""

    def found(self, raw: Tensor, score_threshold: float) -> Found:
        """
        Give what is sure enough.

        :param raw: of :func:`strongest`.
        """
        table = raw.cpu().numpy()
        image, row = np.nonzero(table[..., SCORE] >= score_threshold)
        chosen = table[image, row]
        return Found(
            image, chosen[:, :SCORE], chosen[:, SCORE], chosen[:, LABEL].astype(np.int64),
            len(table),
        )
