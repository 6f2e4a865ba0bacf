"""Where the figures of a training go: JSON lines, and TensorBoard where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import json
import logging
from pathlib import Path
import time
from typing import Any

Log = Callable[[dict[str, Any]], None]
_logger = logging.getLogger(__name__)


class JsonLog:
    """One JSON object a line, each with the seconds since this process started."""

    def __init__(self, path: Path) -> None:
        self._file = path.open('a', encoding='utf-8')
        self._start = time.monotonic()

    def __call__(self, values: dict[str, Any]) -> None:
        """Append values."""
        seconds = round(time.monotonic() - self._start, 1)
        self._file.write(json.dumps({'seconds': seconds, **values}) + '\n')
        self._file.flush()


class TensorBoardLog:
    """Scalars named ``phase/name`` over the steps of their phase."""

    def __init__(self, folder: Path) -> None:
        """:raises ImportError: if TensorBoard is not installed."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))  # type: ignore[no-untyped-call]

    def __call__(self, values: dict[str, Any]) -> None:
        """Add the numbers among the values."""
        step = values['step']
        for name, value in scalars(values).items():
            self._writer.add_scalar(  # type: ignore[no-untyped-call]
                f"{values['phase']}/{name}", value, step
            )
        self._writer.flush()  # type: ignore[no-untyped-call]


def scalars(values: Mapping[str, Any], prefix: str = '') -> dict[str, float]:
    """Flatten nested values to the numbers among them: ``{'lr': {'head': 1}}`` to ``lr/head``."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found.update(scalars(value, f'{prefix}{name}/'))
        elif isinstance(value, (int, float)) and name != 'step':
            found[prefix + name] = value
    return found


def open_logs(out: Path, lead: bool = True) -> Log:
    """
    Open the logs of a run: ``out/log.jsonl`` and ``out/tensorboard``.

    :param lead: whether this process is the one that writes.
    """
    if not lead:
        return lambda values: None
    logs: list[Log] = [JsonLog(out / 'log.jsonl')]
    try:
        logs.append(TensorBoardLog(out / 'tensorboard'))
    except ImportError as error:
        _logger.warning(
            'TensorBoard is not installed, so there is no %s (pip install tensorboard); the '
            'figures are in %s: %s', out / 'tensorboard', out / 'log.jsonl', error
        )

    def log(values: dict[str, Any]) -> None:
        for target in logs:
            target(values)

    return log
