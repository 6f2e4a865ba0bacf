"""What reader and writer share: they are closed by the end of a ``with`` statement."""

from __future__ import annotations

from types import TracebackType
from typing import TypeVar

C = TypeVar('C', bound='Closing')


class Closing:
    """Something to be used in a ``with`` statement, which closes it."""

    def close(self) -> None:
        """Let go of the file."""
        raise NotImplementedError

    def __enter__(self: C) -> C:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
