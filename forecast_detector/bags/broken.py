"""Messages that cannot be read, among others that can: counted, and the first ones named."""

from __future__ import annotations

from pathlib import Path

from .record import BagError, MessageError, Record

NAMED = 3


class BrokenMessages:
    """
    Takes down the messages of a topic that were passed over.

    :ivar count: how many they are, of ``total``.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._named: list[str] = []
        self.count = self.total = 0

    def add(self, record: Record, error: MessageError) -> None:
        """Take one down."""
        self.count += 1
        if len(self._named) < NAMED:
            self._named.append(f'at {record.log_ns} ns ({error.why})')

    def refuse_all(self, path: Path) -> None:
        """:raises BagError: if there are no others."""
        if self.count and self.count == self.total:
            raise BagError(
                f'{path}: {self._topic}: none of its {self.total} messages can be read, the first '
                f'{self._named[0]}; record it again'
            )

    def text(self) -> str | None:
        """Say which they are; None if there are none."""
        if not self.count:
            return None
        named = ', '.join(self._named)
        more = f' and {self.count - NAMED} more' if self.count > NAMED else ''
        return (f'{self.count} of {self.total} messages of {self._topic} cannot be read and '
                f'{"is" if self.count == 1 else "are"} passed over: {named}{more}')
