"""Which folders and files are bags; nothing is opened."""

from __future__ import annotations

from pathlib import Path
import re

SUFFIXES = ('.mcap', '.db3')


def recording_files(folder: Path) -> list[Path]:
    """
    List the files of a folder without ``metadata.yaml`` that are one recording, in order.

    They are if there is only one ``.mcap`` or ``.db3``, or if all have the name of the folder
    and a number, as rosbag2 names the parts of a recording, and nothing lies deeper.

    :returns: none if it is not one recording.
    """
    entries = list(folder.iterdir())
    files = [entry for entry in entries if entry.is_file() and entry.suffix in SUFFIXES]
    if not files or any(entry.is_dir() for entry in entries):
        return []
    numbers = [re.fullmatch(re.escape(folder.name) + r'_(\d+)', file.stem) for file in files]
    if len(files) == 1:
        return files
    if not all(numbers) or len({file.suffix for file in files}) > 1:
        return []
    return sorted(files, key=lambda file: int(file.stem.rpartition('_')[2]))


def is_bag_folder(folder: Path) -> bool:
    """Whether a folder is a bag, finished or not; one that may not be read is none."""
    try:
        return (folder / 'metadata.yaml').is_file() or bool(recording_files(folder))
    except OSError:
        return False


def not_a_bag(path: Path) -> str | None:
    """Say why there can be no bag at a place, and what to do; None if there may be one."""
    if path.is_symlink() and not path.exists():
        return f'a link to {path.readlink()}, which is not there; mend or remove it'
    if not path.exists():
        return 'no such bag; check the path'
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
    List the bags of a folder, sorted: folders, ``.mcap`` and ``.db3`` files; or a bag itself.

    Nothing is opened, so a broken one is among them, as is every subfolder and every link that
    leads nowhere: what is no bag is to be told of, not passed over. Names that begin with a dot
    are left out.

    :raises FileNotFoundError: if there is no bag.
    """
    path = Path(path)
    if path.is_file() or (path.is_dir() and is_bag_folder(path)):
        return [path]
    found = [
        entry for entry in (sorted(path.iterdir()) if path.is_dir() else ())
        if not entry.name.startswith('.')
        and (entry.is_dir() or entry.suffix in SUFFIXES or not entry.exists())
    ]
    if not any(entry.is_file() or (entry.is_dir() and is_bag_folder(entry)) for entry in found):
        raise FileNotFoundError(
            f'{path}: no bag there; expected a bag folder (with metadata.yaml), an .mcap or .db3 '
            f'file, or a folder of such'
        )
    return found
