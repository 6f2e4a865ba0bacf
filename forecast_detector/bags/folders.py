"""The files of one recording in a folder: by its metadata, or by their names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any

import yaml

from .kinds import bag_stem, is_recording

KEY = 'rosbag2_bagfile_information'
METADATA = 'metadata.yaml'


@dataclass(frozen=True)
class Parts:
    """
    Files of a recording, in order.

    :ivar missing: what the recording lacks, in words.
    :ivar is_finished: whether metadata promise that the files are whole.
    """

    files: list[Path]
    missing: tuple[str, ...] = ()
    is_finished: bool = False


def recording_files(folder: Path) -> list[Path]:
    """
    List the files of a folder without ``metadata.yaml`` that are one recording, in order.

    They are if there is only one, or if all have the name of the folder and a number, as rosbag2
    names the parts of a recording, and nothing lies deeper.

    :returns: none if it is not one recording.
    """
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith('.')]
    files = [entry for entry in entries if entry.is_file() and is_recording(entry)]
    if not files or any(entry.is_dir() for entry in entries):
        return []
    if len(files) == 1:
        return files
    if any(_number(file, folder.name) is None for file in files):
        return []
    if len({bag_stem(file) for file in files}) < len(files):
        return []  # one part twice: compressed and not, or of two kinds
    return sorted(files, key=lambda file: _number(file, folder.name) or 0)


def _number(file: Path, stem: str) -> int | None:
    found = re.fullmatch(re.escape(stem) + r'_(\d+)', bag_stem(file))
    return int(found[1]) if found else None


def list_parts(folder: Path) -> Parts:
    """
    List the files of a recording.

    :raises ValueError: if there is none, or the metadata are of something else.
    """
    names, problem = read_names(folder)
    if names is not None:
        return _named_parts(folder, names)
    files = recording_files(folder)
    if not files:
        raise ValueError(f'{problem}, and its files are not named as the parts of one recording')
    return Parts(files, (problem, *_gaps(folder, files)))


def _named_parts(folder: Path, names: list[str]) -> Parts:
    """Find the files that metadata name, packed or unpacked since."""
    files, absent = [], []
    for name in names:
        path = folder / Path(name).name
        if path.is_file():
            files.append(path)
            continue
        alike = [entry for entry in sorted(folder.iterdir())
                 if bag_stem(entry) == bag_stem(path) and entry.is_file() and is_recording(entry)]
        files += alike[:1]
        absent += [] if alike else [path.name]
    missing = [f'{name}, which {METADATA} names, is not there' for name in absent]
    # Metadata that are cut, or older than the last part, name too few.
    unnamed = [file for file in recording_files(folder) if file not in files]
    if unnamed:
        files = sorted([*files, *unnamed], key=lambda file: _number(file, folder.name) or 0)
        missing += [f'{file.name}, which {METADATA} does not name, is read, too'
                    for file in unnamed]
    if not files:
        raise ValueError(f'{METADATA} names {", ".join(absent) or "no file"}, and there is none')
    return Parts(files, tuple(missing), not missing)


def _gaps(folder: Path, files: list[Path]) -> list[str]:
    """Name the numbers that are left out among parts."""
    numbers = [_number(file, folder.name) for file in files]
    found = [number for number in numbers if number is not None]
    absent = sorted(set(range(max(found, default=0))) - set(found)) if len(found) > 1 else []
    return [f'there is no part {", ".join(map(str, absent))}'] if absent else []


def read_names(folder: Path) -> tuple[list[str] | None, str]:
    """
    Read which files a recording has.

    :returns: their names, or None and why they are not known, where the recorder was stopped
        before it wrote all of the metadata.
    :raises ValueError: for metadata of something else.
    """
    path = folder / METADATA
    if not path.is_file():
        return None, f'it has no {METADATA} (the recorder was killed)'
    data = path.read_bytes()
    text = data.decode(errors='replace')
    try:
        return list(dict.fromkeys(str(name) for name in _files(yaml.safe_load(text)))), ''
    except Exception as error:
        # After a power cut a file is empty, cut, or has zeros in it.
        if not text.strip('\0 \r\n') or b'\0' in data or text.lstrip().startswith(KEY[:len(text)]):
            what = 'empty' if not text.strip('\0 \r\n') else 'cut or damaged'
            return None, f'its {METADATA} is {what} (the recorder was killed, or the power failed)'
        raise ValueError(f'{METADATA}: {_reason(error)}') from error


def _files(content: Any) -> list[Any]:
    names = content[KEY]['relative_file_paths']
    if not isinstance(names, list):
        raise TypeError('relative_file_paths is no list')
    return names


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.YAMLError):
        return ' '.join(str(error).split())
    return f'no metadata of rosbag2: {KEY} with relative_file_paths is expected'
