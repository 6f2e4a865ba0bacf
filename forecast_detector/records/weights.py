"""What a file of weights holds, for ``info``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .codec import Count


@dataclass(frozen=True)
class WeightsInfo:
    """
    A file of weights.

    :ivar parameters: how many numbers were learnt.
    :ivar config: of the network, without the labels.
    :ivar info: where the weights come from, as the file says.
    """

    file: str
    bytes: Count
    sha256: str
    parameters: Count
    labels: list[str]
    config: dict[str, Any]
    info: dict[str, str]
