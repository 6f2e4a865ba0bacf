"""Child processes in a ROS graph of their own: started, watched, stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
from types import TracebackType
from typing import Any

import yaml

STOP_S = 60.0
HASTY_STOP_S = 10.0
TAIL_LINES = 15
# Domains that every system has ports for.
DOMAINS = range(1, 101)


def domain_ports(domain: int) -> list[int]:
    """List the ports of a domain: the shared one, and those of its first participants."""
    first = 7400 + 250 * domain  # DDSI-RTPS 9.6.1
    return [first, *range(first + 10, first + 30, 2)]


def take_domain(first: int) -> tuple[int, socket.socket]:
    """
    Take a domain that nobody on this machine is in.

    Its processes use its ports only after a while, so what else asks is told by a name in the
    system, which is held until the socket is closed or this process ends.

    :param first: where to begin, any number; other processes begin elsewhere.
    :returns: the domain, and what holds it.
    :raises RuntimeError: if all are taken.
    """
    for number in range(first, first + len(DOMAINS)):
        domain = DOMAINS[number % len(DOMAINS)]
        held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # Linux's abstract names: no file is left behind.
        if _binds(held, f'\0forecast_detector/domain/{domain}') and all(
                map(_is_free, domain_ports(domain))):
            return domain, held
        held.close()
    raise RuntimeError(
        f'all ROS domains from {DOMAINS[0]} to {DOMAINS[-1]} are in use on this machine: '
        'end what runs there')


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return _binds(probe, ('', port))


def _binds(probe: socket.socket, address: str | tuple[str, int]) -> bool:
    try:
        probe.bind(address)
    except OSError:
        return False
    return True


def graph_environment(log_folder: Path, domain: int) -> dict[str, str]:
    """Copy the environment, with a domain on this machine only."""
    environment = dict(os.environ)
    for name in ('ROS_STATIC_PEERS', 'ROS_DISCOVERY_SERVER'):
        environment.pop(name, None)
    environment['ROS_DOMAIN_ID'] = str(domain)
    environment['ROS_LOG_DIR'] = str(log_folder)
    environment['PYTHONUNBUFFERED'] = '1'
    if environment.get('ROS_DISTRO') == 'humble':
        environment['ROS_LOCALHOST_ONLY'] = '1'
    else:
        environment.pop('ROS_LOCALHOST_ONLY', None)
        environment['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    return environment


def parameter_arguments(parameters: Mapping[str, Any]) -> list[str]:
    """Write ROS parameters as command line arguments."""
    arguments = ['--ros-args']
    for name, value in parameters.items():
        text = yaml.safe_dump(value, default_flow_style=True, width=1_000_000)
        arguments += ['-p', f'{name}:={text.removesuffix(chr(10)).removesuffix(chr(10) + "...")}']
    return arguments


class Child:
    """One process; what it says goes to a file."""

    def __init__(
        self,
        name: str,
        module: str,
        parameters: Mapping[str, Any],
        log_folder: Path,
        environment: Mapping[str, str],
        node: str = '',
    ) -> None:
        """
        Start it.

        :param module: to be run with ``python -m``.
        :param node: another name for its node.
        """
        self.name = name
        self.log = log_folder / f'{name}.log'
        command = [sys.executable, '-m', module, *parameter_arguments(parameters)]
        if node:
            command += ['-r', f'__node:={node}']
        with self.log.open('wb') as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs."""
        return self._process.poll()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def said(self, mark: str) -> str:
        """Return the rest of the first line in which it said this; '' if it did not yet."""
        _, found, rest = self.log.read_text(errors='replace').partition(mark)
        return rest.partition('\n')[0] if found else ''

    def tail(self) -> str:
        """Return the last lines that it said."""
        lines = self.log.read_text(errors='replace').splitlines()
        return '\n'.join(f'  {line}' for line in lines[-TAIL_LINES:]) or '  (it said nothing)'

    def failure(self, what: str) -> RuntimeError:
        """Build an error that shows the last lines of the log."""
        return RuntimeError(f'the {self.name} {what}; the end of {self.log}:\n{self.tail()}')

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        return self._process.wait()

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ask_to_end(self) -> None:
        """Tell it to finish its work and end."""
        # Not SIGINT: a process started in the background of a shell ignores that.
        if self._process.poll() is None:
            self._process.terminate()

    def stop(self, patience_s: float = STOP_S) -> int:
        """
        Tell it to end and wait until it has finished its work; then end it anyway.

        :returns: exit status.
        """
        self.ask_to_end()
        try:
            return self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait()


class Children:
    """Processes of one graph; none outlives the ``with`` block."""

    def __init__(self, log_folder: Path) -> None:
        """Choose a domain; logs go to this folder."""
        log_folder.mkdir(parents=True, exist_ok=True)
        self._log_folder = log_folder
        domain, self._held = take_domain(os.getpid())
        self.environment = graph_environment(log_folder, domain)
        self._children: list[Child] = []

    def start(
        self, name: str, module: str, parameters: Mapping[str, Any], node: str = ''
    ) -> Child:
        """Start one more, see :class:`Child`."""
        child = Child(name, module, parameters, self._log_folder, self.environment, node)
        self._children.append(child)
        return child

    def check(self, running: Sequence[Child]) -> None:
        """:raises RuntimeError: if one of those that should be running has ended."""
        for child in running:
            if child.status is not None:
                raise child.failure(f'process ended with status {child.status}')

    def __enter__(self) -> Children:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop those that still run; after an error they get less time to finish."""
        for child in self._children:
            child.ask_to_end()
        for child in self._children:
            child.stop(STOP_S if kind is None else HASTY_STOP_S)
        self._held.close()


def read_live(path: Path) -> dict[str, Any]:
    """Read the live numbers of a recorder or player; empty as long as there are none."""
    try:
        values: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return values
