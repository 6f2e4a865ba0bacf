"""Where files that come with the package lie: pip, source tree, ROS install spaces."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from .legible import legible

# Kind to (folder within the installed package, folder within the source tree or share/).
_FOLDERS = {'weights': ('weights', 'weights'), 'recipes': ('_config/train', 'config/train')}
_SUFFIXES = {'weights': '.safetensors', 'recipes': '.yaml'}


def folders(kind: Literal['weights', 'recipes']) -> list[Path]:
    """List the folders that may hold shipped files of a kind, first choice first."""
    package = Path(__file__).resolve().parent
    installed, source = _FOLDERS[kind]
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    return [
        package / installed,
        package.parent / source,
        *(Path(p) / 'share' / 'forecast_detector' / source for p in prefixes if p),
    ]


def find(kind: Literal['weights', 'recipes'], name: str | Path) -> Path:
    """
    Find a file by its path, or a shipped one by its name (``foda``).

    :raises FileNotFoundError: if there is none; lists the shipped ones.
    """
    path, suffix = Path(name).expanduser(), _SUFFIXES[kind]
    if path.is_file():
        return path
    if len(path.parts) == 1:
        file_name = path.name if path.suffix == suffix else path.name + suffix
        for folder in folders(kind):
            if (folder / file_name).is_file():
                return folder / file_name
    known = sorted({f.stem for folder in folders(kind) for f in folder.glob(f'*{suffix}')})
    raise FileNotFoundError(
        f'{kind}: no file {legible(repr(str(path)), 300)}; give a path to a {suffix} file, or a '
        f'shipped name ({", ".join(known) or "none is installed"})'
    )
