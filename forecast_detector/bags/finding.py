"""Which folders and files are bags."""

from __future__ import annotations

from pathlib import Path

from .folders import METADATA, recording_files
from .kinds import is_recording, no_file


def is_bag_folder(folder: Path) -> bool:
    """Whether a folder is a bag, finished or not; one that may not be read is none."""
    try:
        return (folder / METADATA).is_file() or bool(recording_files(folder))
    except OSError:
        return False


def is_bag(path: Path) -> bool:
    """Whether a bag is meant, not a video: any folder, or a file of a recording."""
    return path.is_dir() or is_recording(path)


def not_a_bag(path: Path) -> str | None:
    """Say why there can be no bag at a place, and what to do; None if there may be one."""
    if path.is_symlink() and not path.exists():
        return f'a link to {path.readlink()}, which is not there; mend or remove it'
    if not path.exists():
        return 'no such bag; check the path'
    if special := no_file(path):
        return special
    if not path.is_dir() or is_bag_folder(path):
        return None
    if not any(path.iterdir()):
        return 'an empty folder, no bag; remove it, or record again'
    return (
        'not a bag: the folder has neither metadata.yaml nor the files of one recording; name '
        'a bag folder, an .mcap or a .db3 file in it'
    )


def find_bags(path: str | Path) -> list[Path]:
    """
    List the bags of a folder, sorted: folders and files; or a bag itself.

    Files are known by their content or their name, compressed ones, too. None is opened further,
    so a broken one is among them, as is every subfolder and every link that leads nowhere: what
    is no bag is to be named, not passed over. Names that begin with a dot are left out.

    :raises FileNotFoundError: if there is no bag.
    """
    path = Path(path)
    if special := no_file(path):
        raise FileNotFoundError(f'{path}: {special}')
    if path.is_file() or (path.is_dir() and is_bag_folder(path)):
        return [path]
    found = [
        entry for entry in (sorted(path.iterdir()) if path.is_dir() else ())
        if not entry.name.startswith('.')
        and (entry.is_dir() or not entry.exists() or is_recording(entry))
    ]
    if not any(entry.is_file() or (entry.is_dir() and is_bag_folder(entry)) for entry in found):
        raise FileNotFoundError(
            f'{path}: no bag there; expected a bag folder (with metadata.yaml), an .mcap or .db3 '
            f'file, or a folder of such'
        )
    return found
