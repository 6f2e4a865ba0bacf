"""ROS started with a command line; what is wrong with that line is said in one."""

from __future__ import annotations

from collections.abc import Sequence
import re

import rclpy
from rclpy.logging import (
    get_logger,
    get_logger_effective_level,
    LoggingSeverity,
    set_logger_level,
)
from rclpy.node import Node

from .overrides import overrides
from .parameter_faults import fault_of
from .parameter_files import files_of, why_unused

NO_LOG = ('--ros-args', '--disable-external-lib-logs')
# What rcl says of an argument that it does not take, and what it takes.
REMEDIES = {
    'Sequence should be of same type': 'write all values of the list alike, all in quotes, say',
    'parameter override': 'expected -p NAME:=VALUE, with a value (an empty text is NAME:="\'\'")',
    'remap rule': 'expected -r FROM:=TO, with names that ROS allows',
    'log level': 'expected debug, info, warn, error or fatal, or LOGGER:=LEVEL',
    '--params-file': 'see config/detector.yaml for how a parameter file is laid out',
}


class ArgumentsError(ValueError):
    """Raised when ROS does not take the command line; the text says why, and the remedy."""


def init(arguments: Sequence[str]) -> None:
    """
    Start ROS.

    :raises ArgumentsError: if it does not take the command line, or cannot start.
    """
    # rcl logs a line that says nothing ("Failed to parse global arguments"); its error says all.
    set_logger_level('rcl', LoggingSeverity.FATAL)
    try:
        _init_logged(list(arguments))
    except RuntimeError as error:  # all errors of rcl are
        raise ArgumentsError(explain(str(error), arguments)) from error
    finally:
        if get_logger_effective_level('rcl') == LoggingSeverity.FATAL:
            set_logger_level('rcl', LoggingSeverity.UNSET)


def _init_logged(arguments: list[str]) -> None:
    """Start ROS; without log files where there is no place for them (no HOME, a full disk)."""
    try:
        rclpy.init(args=arguments)
    except RuntimeError as error:
        if 'failed to initialize logging' not in str(error):
            raise
        rclpy.try_shutdown()
        rclpy.init(args=[*arguments, *NO_LOG])
        why = ' '.join(str(error).partition(', at /')[0].split()).rpartition(': Failed ')[2]
        get_logger('forecast_detector').warning(
            f'no log file is written (failed {why}); set ROS_LOG_DIR to a folder for logs')


def explain(words: str, arguments: Sequence[str]) -> str:
    """
    Say in one line why ROS does not take a command line.

    :param words: of rcl.
    """
    files = files_of(arguments)
    named = re.search(r"params file: '--params-file (.*?)'\. Error", words, re.DOTALL)
    for path in [named[1]] if named else files if 'params' in words else []:
        if fault := fault_of(path):
            return f'parameter file {path}: {fault}'
    said = plain(words).removeprefix('failed to initialize rcl: ')
    said = said.removesuffix('. Error: error not set').rstrip('.')
    if re.fullmatch(r'\[.*\]', said):
        return f'unknown ROS arguments {said}; see `ros2 run --help` for those between --ros-args'
    remedy = next((remedy for part, remedy in REMEDIES.items() if part in said), '')
    return f'{said}; {remedy}' if remedy else said


def plain(words: str) -> str:
    """Put what rcl says on one line, without the places in its sources."""
    return ' '.join(re.sub(r', at /\S+?:\d+', '', words).split())


def warn_of_unused_files(node: Node, arguments: Sequence[str]) -> None:
    """Warn of parameter files that give a node nothing."""
    taken = frozenset(overrides(node))
    for path in dict.fromkeys(files_of(arguments)):
        if why := why_unused(path, node.get_fully_qualified_name(), taken):
            node.get_logger().warning(why)
