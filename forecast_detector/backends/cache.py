"""Where exported networks lie between runs: a folder of the user, by what they were made of."""

from __future__ import annotations

from collections.abc import Iterable
import contextlib
import hashlib
import os
from pathlib import Path
import shutil
import tempfile

from ..model.families import AnyNetwork

PACKAGE = Path(__file__).resolve().parent.parent
# So many exports are kept; each has the size of its weights in single precision.
KEPT = 24
# Each file begins with its hash.
SEAL = hashlib.sha256().digest_size


def cache_folder() -> Path | None:
    """Give the user's folder for exports (XDG); None where nobody says where the user's lie."""
    base = os.environ.get('XDG_CACHE_HOME', '')
    # A relative one is to be ignored, says the standard.
    if os.path.isabs(base):
        return Path(base) / 'forecast_detector'
    try:
        return Path.home() / '.cache' / 'forecast_detector'
    except RuntimeError:  # no HOME, and the user has no entry in passwd: some containers
        return None


def fingerprint(network: AnyNetwork, facts: Iterable[object]) -> str:
    """
    Name an export by all that it depends on: configuration, weights, code, and what else is said.

    :param facts: such as versions; what they say of themselves counts.
    """
    digest = hashlib.sha256()
    # Networks of equal weights may still compute other things.
    for fact in (*facts, network.config):
        digest.update(f'{fact!r}\n'.encode())
    for name, value in network.state_dict().items():
        digest.update(f'{name} {tuple(value.shape)} {value.dtype}\n'.encode())
        digest.update(value.detach().cpu().contiguous().numpy())
    for folder in ('model', 'backends'):
        for path in sorted((PACKAGE / folder).rglob('*.py')):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def store(path: Path, data: bytes) -> None:
    """
    Keep a file, whole or not at all.

    :raises OSError: if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix='.writing-')
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(hashlib.sha256(data).digest() + data)
        os.replace(scratch, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(scratch)
        raise


def load(path: Path) -> bytes:
    """
    Read a file that was kept.

    :raises OSError: if there is none.
    :raises ValueError: if it is not whole: what a runtime would make of it nobody knows.
    """
    data = path.read_bytes()
    if hashlib.sha256(data[SEAL:]).digest() != data[:SEAL]:
        raise ValueError(f'{path}: damaged')
    return data[SEAL:]


def prune(root: Path, kept: int = KEPT) -> None:
    """Remove the exports that were used longest ago; one that is in use elsewhere is made anew."""
    with contextlib.suppress(OSError):
        folders = [path for path in root.iterdir() if path.is_dir()]
        folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in folders[kept:]:
            shutil.rmtree(path, ignore_errors=True)
