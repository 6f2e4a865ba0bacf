"""Recordings: opened, cut into what is learnt from and what is kept aside, and hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ..data.base import Clip, ClipDataset
from ..data.plain import load_plain
from ..data.rosbag import load_rosbag
from ..data.views import ClipView, strided
from ..data.voc_video import ImageFilesClip

# Of the time of a recording this share, its end, is kept aside.
ASIDE = 1 / 5
# Frames that either part has at least: for runs of forecasts to learn from, and for one READ in
# eight to judge by.
LEAST_LEARNT, LEAST_ASIDE = 32, 8
CHUNK = 1 << 20
OnBad = Callable[[Path, Exception], None]


@dataclass(frozen=True)
class CutRecording:
    """
    A recording in two parts.

    :ivar path: of its file or folder.
    :ivar learnt: what is learnt from; ``aside``: its last fifth.
    """

    path: Path
    clip: Clip
    learnt: range
    aside: range


def open_bags(
    paths: Iterable[str], image_topic: str | None, on_bad: OnBad
) -> list[tuple[Path, Clip]]:
    """
    Open bags, and those of folders.

    :param on_bad: called with what cannot be used, which is left out.
    """
    return [
        (Path(clip.source), clip) for path in paths
        for clip in _opened(path, lambda root, bad: load_rosbag(
            root, image_topic, '', on_bad=bad), on_bad)
    ]


def open_videos(paths: Iterable[str], on_bad: OnBad) -> list[tuple[Path, Clip]]:
    """Open video files, and those and the pictures of folders, see :func:`open_bags`."""
    return [
        (_place(clip), clip) for path in paths
        for clip in _opened(path, lambda root, bad: load_plain(root, on_bad=bad), on_bad)
    ]


def _opened(
    path: str, load: Callable[[str, OnBad], ClipDataset], on_bad: OnBad
) -> Sequence[Clip]:
    """Open what is there; what cannot be used is named once."""
    named: list[Path] = []

    def name(which: Path, error: Exception) -> None:
        named.append(which)
        on_bad(which, error)

    try:
        return load(path, name).clips
    except (ValueError, OSError) as error:
        if not named:
            on_bad(Path(path), error)
        return []


def _place(clip: Clip) -> Path:
    """Say where a video or a folder of pictures lies."""
    if isinstance(clip, ImageFilesClip):
        return clip.files[0].parent
    return Path(clip.source)


def cut(
    opened: Iterable[tuple[Path, Clip]], stride: int, on_bad: OnBad
) -> list[CutRecording]:
    """
    Keep the last fifth of the time of every recording aside.

    :param stride: every so many frames are taken.
    :param on_bad: called with recordings that are too short, which are left out.
    """
    kept, seen = [], set[Path]()
    for path, whole in opened:
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        clip = strided(whole, stride)
        first = first_aside(clip)
        learnt, aside = range(first), range(first, len(clip))
        if len(learnt) < LEAST_LEARNT or len(aside) < LEAST_ASIDE:
            on_bad(path, ValueError(_too_short(clip, first)))
        else:
            kept.append(CutRecording(path, clip, learnt, aside))
    return kept


def first_aside(clip: Clip) -> int:
    """Find the first frame of the last fifth of a clip's time, by its stamps."""
    if len(clip) < 2:
        return len(clip)
    stamps = np.array([clip.stamp_ns(k) for k in range(len(clip))], np.float64)
    # A bag that looped has stamps that go back; its frames then count by their order.
    if (np.diff(stamps) < 0).any():
        stamps = np.arange(len(clip), dtype=np.float64)
    step = np.median(np.diff(stamps))
    start = stamps[0] + (1 - ASIDE) * (stamps[-1] + step - stamps[0])
    # Stamps are rounded.
    return int(np.searchsorted(stamps, start - step / 100))


def _too_short(clip: Clip, first: int) -> str:
    needed = max(LEAST_ASIDE / ASIDE, LEAST_LEARNT / (1 - ASIDE))
    return (
        f'too short: {len(clip)} frames, {first} before its last fifth and {len(clip) - first} '
        f'in it; at least {LEAST_LEARNT} and {LEAST_ASIDE} are needed, at its '
        f'{clip.fps:.3g} frames a second {needed / clip.fps:.1f} s without gaps: record longer'
    )


def stretches(
    parts: Iterable[tuple[Clip, range]], length: int, most: int
) -> list[Clip]:
    """
    Take stretches of parts of clips, spread evenly over all of them.

    :param parts: clips, and which of their frames.
    :param length: frames of a stretch, at least, where a part has as many.
    :param most: about how many frames are taken of all parts together.
    """
    found: list[Clip] = []
    for clip, frames in parts:
        count = max(1, len(frames) // length)
        edges = np.linspace(frames.start, frames.stop, count + 1).round().astype(int).tolist()
        found += [
            ClipView(clip, range(a, b), f'{clip.name} {a}-{b - 1}')
            for a, b in zip(edges, edges[1:])
        ]
    count = max(1, most // length)
    if len(found) <= count:
        return found
    return [found[k] for k in np.linspace(0, len(found) - 1, count).round().astype(int)]


def digest(path: Path) -> str:
    """Hash a file, or the names and contents of all files of a folder (SHA-256)."""
    total = hashlib.sha256()
    if path.is_file():
        _feed(total, path)
        return total.hexdigest()
    for file in sorted(one for one in path.rglob('*') if one.is_file()):
        one = hashlib.sha256()
        _feed(one, file)
        total.update(f'{file.relative_to(path)}\0{one.hexdigest()}\n'.encode())
    return total.hexdigest()


def _feed(total: Any, path: Path) -> None:
    with path.open('rb') as file:
        while chunk := file.read(CHUNK):
            total.update(chunk)
