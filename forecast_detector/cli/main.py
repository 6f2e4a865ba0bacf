"""forecast-detector: detect objects in live video by feature map forecast."""

from __future__ import annotations

import argparse
from importlib import import_module
import os
from signal import SIGINT
import sys

from .. import __version__
from ..ends import signalled, work
from ..legible import legible
from ..memory import keep_freed_memory
from .command import add_options, made
from .options import one_line, OptionError

# Name to first line of help. A command's module is imported only when it is called for.
COMMANDS = {
    'adapt': 'adapt YOLOX weights to your own recordings, without labels',
    'benchmark': 'measure what steps cost on this machine',
    'convert': 'turn annotated data into CocoVID files or bags, and bags into CocoVID',
    'demo': 'run camera, detector and recorder in a live ROS 2 graph',
    'detect': 'detect in a video or bag: annotated video and JSON out',
    'diagnose': 'examine weights: scheduler as a classifier, forecast error, cuts',
    'evaluate': 'measure weights on annotated video',
    'import': 'make weights of a YOLOX checkpoint or ONNX export',
    'info': 'show what is in a weights file',
    'replay': 'replay a bag offline or through the live node: bag and report out',
    'report': 'show evaluations, replays and a sweep as one HTML file',
    'self-check': 'check weights, device, latency, ROS and cameras',
    'sweep': 'trade accuracy against READ share, beside every baseline',
    'train': 'train weights on annotated video',
}


def make_parser(command: str | None) -> argparse.ArgumentParser:
    """
    Make the parser; only the subcommand that is called for gets its options.

    :param command: name of the subcommand.
    """
    parser = argparse.ArgumentParser(prog='forecast-detector', description=__doc__)
    parser.add_argument('--version', action='version', version=__version__)
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='SUBCOMMAND')
    for name, summary in COMMANDS.items():
        description = None
        if name == command:
            module = import_module(f'.{name.replace("-", "_")}', __package__)
            kind = getattr(module, name.title().replace('-', '') + 'Command')
            description = module.__doc__
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == command:
            add_options(subparser, kind)
            subparser.set_defaults(kind=kind)
    return parser


def main(argv: list[str] | None = None) -> int:
    """
    Run a subcommand; returns the exit status, 0 only on success.

    It is 1 after an error, 2 for options that are wrong, 3 if recordings were skipped, 4 if
    adapting weights did not help. An error that a user can mend is one line on stderr, without a
    traceback.
    """
    keep_freed_memory()
    if not sys.stderr.isatty():
        # In a log, progress bars (tqdm from 4.66 on, not imported yet) are drawn twice a minute.
        os.environ.setdefault('TQDM_MININTERVAL', '30')
    argv = sys.argv[1:] if argv is None else argv
    command = next((word for word in argv if word in COMMANDS), None)
    given = vars(make_parser(command).parse_args(argv))
    kind = given.pop('kind')
    del given['command']
    try:
        called_for = made(kind, given)
        for name in kind.loads:
            import_module(f'..{name}', __package__)
        work()  # until here a signal ends the process at once: there is nothing to finish
        return int(called_for.run())
    except (ValueError, RuntimeError, OSError, ImportError) as error:
        if signalled():  # some libraries make errors of their own of an interrupt
            return _interrupted()
        text = legible(one_line(error), 4000) or type(error).__name__
        print(f'forecast-detector: error: {text}', file=sys.stderr)
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        return _interrupted()


def _interrupted() -> int:
    print('forecast-detector: interrupted', file=sys.stderr)
    return 128 + (signalled() or SIGINT)


if __name__ == '__main__':
    sys.exit(main())
