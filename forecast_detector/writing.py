"""Files written whole or not at all: beside, and then renamed. A full disk costs nothing."""

from __future__ import annotations

from contextlib import suppress
import os
from pathlib import Path


def write_whole(path: Path, text: str, durable: bool = True) -> None:
    """
    Write text to a file; what was there stays until all is written.

    :param durable: whether it is to outlast a power cut right afterwards.
    :raises OSError: names the file, if it cannot be.
    """
    draft = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        with draft.open('w', encoding='utf-8') as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def not_written(path: Path, error: Exception, rest: str = 'what was there stays') -> OSError:
    """
    Make the error that says which file cannot be written, and why.

    :param rest: what is left.
    """
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OSError(
        f'{path}: cannot be written ({why}); free space there, or name another place: {rest}'
    )
