"""What works in a thread of its own."""

from __future__ import annotations

from threading import Thread


class Background:
    """Works beside the executor from :meth:`start` to :meth:`stop`; may be started again."""

    # Of the thread.
    name = ''

    def __init__(self) -> None:
        """Prepare."""
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._open()
        self._thread = Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return when what is in progress is done; nothing where it does not run."""
        self._close()
        if self._thread:
            self._thread.join()
            self._thread = None

    def _open(self) -> None:
        """Let work come in."""
        raise NotImplementedError

    def _close(self) -> None:
        """Let :meth:`_run` come to its end."""
        raise NotImplementedError

    def _run(self) -> None:
        """Work; called in the thread."""
        raise NotImplementedError
