"""What of a bag is wanted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BagOptions:
    """
    What of a bag is wanted.

    :ivar image_topic: None takes the only one.
    :ivar truth_topic: None takes the one found by its type, '' none.
    :ivar tolerance_ns: how far the stamp of a truth may be from that of its image.
    :raises ValueError: for a tolerance below 0.
    """

    image_topic: str | None = None
    truth_topic: str | None = None
    tolerance_ns: int = 5_000_000

    def __post_init__(self) -> None:
        """Check the range."""
        if self.tolerance_ns < 0:
            raise ValueError(f'truth tolerance: {self.tolerance_ns / 1e6:g} ms is below 0')
