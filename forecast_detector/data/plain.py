"""Videos and folders of pictures that nobody annotated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .base import Clip, ClipDataset, Truth
from .coco_vid import VIDEO_SUFFIXES
from .frames import PackedTruth
from .video import VideoClip
from .voc_video import ImageFilesClip

PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm')
# Image ids tell the clip by its place, as those of bags do.
IDS_A_CLIP = 10_000_000


class PlainVideo(VideoClip):
    """A video file among others."""

    def __init__(self, path: Path, first_image_id: int) -> None:
        """
        Open a file.

        :raises BadFrameError: if OpenCV cannot open it, or can decode no frame.
        """
        super().__init__(path)
        self.first_image_id = first_image_id

    def image_id(self, index: int) -> int:
        """Count from ``first_image_id``."""
        return self.first_image_id + index


def load_plain(
    root: str | Path, labels: Sequence[str] | None = None,
    on_bad: Callable[[Path, Exception], None] | None = None,
) -> ClipDataset:
    """
    Load a video file, or a folder: its video files, and the pictures in it and its subfolders.

    The pictures of one folder are a clip, in the order of their names, at 30 frames a second.

    :param labels: class names of the weights; there are no others.
    :param on_bad: called with each file that cannot be used, which is then left out; without it
        the first one raises.
    :raises FileNotFoundError: if there is nothing of the kind.
    :raises BadFrameError: for a video that cannot be used.
    """
    root = Path(root)
    sources = list(_sources(root))
    if not sources:
        raise FileNotFoundError(
            f'{root}: neither a video nor a folder with videos or pictures '
            f'({", ".join(VIDEO_SUFFIXES[:4])} …, {", ".join(PICTURE_SUFFIXES[:3])} …)')
    clips: list[Clip] = []
    for number, (path, pictures) in enumerate(sources):
        first = number * IDS_A_CLIP
        try:
            clips.append(_pictures(path, pictures, first) if pictures else PlainVideo(path, first))
        except (ValueError, OSError) as error:
            if on_bad is None:
                raise
            on_bad(path, error)
    if not clips:
        raise ValueError(f'{root}: none of its {len(sources)} videos can be used; see above')
    return ClipDataset(tuple(labels or ()), clips)


def _sources(root: Path) -> list[tuple[Path, list[Path]]]:
    """List videos, with nothing behind them, and folders of pictures with their files."""
    if root.is_file():
        return [(root, [])]
    if not root.is_dir():
        return []
    entries = sorted(path for path in root.iterdir() if not path.name.startswith('.'))
    found = [(path, list[Path]()) for path in entries
             if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES]
    folders = [root, *(path for path in entries if path.is_dir())]
    return found + [(folder, files) for folder in folders if (files := _files(folder))]


def pictures_of(folder: Path) -> Clip | None:
    """Take the pictures of a folder, by name, for the frames of a clip; None without any."""
    files = _files(folder)
    return _pictures(folder, files, 0) if files else None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)


def _pictures(folder: Path, files: Sequence[Path], first_image_id: int) -> Clip:
    truth = PackedTruth.pack([Truth(annotated=False)] * len(files))
    return ImageFilesClip(folder.name, files, truth, first_image_id=first_image_id)
