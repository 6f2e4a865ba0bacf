"""Files that annotations name stay inside of their data set."""

from __future__ import annotations

import os
from pathlib import Path

# Set to 1, files anywhere may be named.
ALLOWED = 'FORECAST_DETECTOR_FILES_OUTSIDE'


def inside(folder: Path, name: str, source: Path) -> Path:
    """
    Join a folder of a data set and a name that its annotations give.

    Links in the folder are the user's own, and are followed.

    :param source: file that names it.
    :raises ValueError: for a name that is absolute or leads out of the folder, unless the
        environment allows it: others may have written the annotations, and what they name is
        shown, and copied by ``convert``.
    """
    path = Path(name)
    leads_out = path.is_absolute() or os.path.normpath(name).split(os.sep)[0] == os.pardir
    if '\0' in name or leads_out and os.environ.get(ALLOWED) != '1':
        raise ValueError(
            f'{source}: names the file {name[:200]!r}, which is not inside of {folder}; move it '
            f'there, or allow such files with {ALLOWED}=1'
        )
    return folder / path
