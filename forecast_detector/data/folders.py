"""Folders that go again if what was to be written into them fails, and names for them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
import re
import shutil
from types import TracebackType

from .base import Clip

NAME_BYTES = 200  # file systems take 255


def folder_name(clip: Clip) -> str:
    """Make a folder's name of a clip's: one level, never ``..``, of a length that disks take."""
    name = re.sub(r'[^\w.-]+', '_', clip.name).strip('_.') or 'clip'
    return name.encode()[:NAME_BYTES].decode(errors='ignore')


def folder_names(clips: Sequence[Clip]) -> list[str]:
    """
    Make a folder's name for each of some clips, so that none writes over another.

    They differ by more than capitals, which some file systems do not tell apart; those that
    would not are numbered.
    """
    wanted = [folder_name(clip) for clip in clips]
    reserved, used, names = {name.casefold() for name in wanted}, set[str](), list[str]()
    for name in wanted:
        made, number = name, 1
        while made.casefold() in (reserved | used if number > 1 else used):
            number += 1
            made = f'{name}_{number}'
        used.add(made.casefold())
        names.append(made)
    return names


class Folders:
    """
    Folders that are being filled.

    Leaving the ``with`` statement by an error removes those that were not there before, with all
    that is in them, so that nothing half written is left; those above them only if empty.
    """

    def __init__(self) -> None:
        self._made: list[tuple[Path, bool]] = []  # and whether it is what is filled

    def make(self, path: Path) -> None:
        """Make a folder and those above it, where they are not there."""
        self.expect(path)
        path.mkdir(parents=True, exist_ok=True)

    def expect(self, path: Path) -> None:
        """Take note of a folder that something else makes."""
        above = [(one, False) for one in reversed(path.parents)]
        self._made += [(one, filled) for one, filled in (*above, (path, True))
                       if not one.exists()]

    def __enter__(self) -> Folders:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            return
        for path, filled in reversed(self._made):
            with suppress(OSError):
                shutil.rmtree(path) if filled else path.rmdir()
