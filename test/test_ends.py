"""Processes end at a signal with one line, and with the status that tells of it."""

from pathlib import Path
import signal
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
SIGNALS = [signal.SIGINT, signal.SIGTERM]
HEAD = """
import os, signal, sys, time
from forecast_detector import ends

def send(number):
    os.kill(os.getpid(), number)
    time.sleep(0.01)

"""


def run(program, **options):
    """Run a program in a process of its own; give its status and what it said."""
    done = subprocess.run(
        [sys.executable, '-c', HEAD + program], capture_output=True, text=True, timeout=100,
        cwd=ROOT, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options)
    return done.returncode, done.stderr.splitlines(), done.stdout


@pytest.mark.parametrize('number', SIGNALS)
def test_a_signal_ends_what_starts_at_once(number):
    status, said, _ = run(f"ends.begin('tool'); send({number:d}); print('went on')")
    assert (status, said) == (
        128 + number, [f'tool: ended by {number.name} while it started'])


@pytest.mark.parametrize('number', SIGNALS)
def test_a_signal_interrupts_the_work_and_lets_it_finish(number):
    status, said, printed = run(f"""
ends.begin('tool'); ends.work(patience_s=100)
try:
    send({number:d})
except KeyboardInterrupt:
    send({number:d})  # of the terminal, and of what started it
    print('finished', ends.signalled())
ends.leave(5)
""")
    assert (status, said, printed) == (5, [], f'finished {number:d}\n')


def test_a_second_signal_does_not_wait():
    status, said, printed = run(f"""
ends.begin('tool'); ends.work(); ends.SAME_S = 0
try:
    send({signal.SIGINT:d})
except KeyboardInterrupt:
    send({signal.SIGTERM:d})
    print('finished')
""")
    assert (status, printed) == (128 + signal.SIGTERM, '')
    assert said == ['tool: ended by SIGTERM before it had finished']


def test_finishing_has_an_end():
    status, said, _ = run(f"""
ends.begin('tool'); ends.work(patience_s=0.1)
try:
    send({signal.SIGTERM:d})
except KeyboardInterrupt:
    time.sleep(50)
""")
    assert (status, said) == (
        128 + signal.SIGTERM, ['tool: ended by SIGTERM after 0.1 s of finishing'])


def test_signals_that_are_ignored_stay_so_and_others_are_left_alone():
    _, said, printed = run("""
signal.signal(signal.SIGINT, signal.SIG_IGN)
before = signal.getsignal(signal.SIGTERM)
ends.work()
print(signal.getsignal(signal.SIGTERM) is before)
ends.begin('tool'); ends.work(signals=(signal.SIGINT,))
print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
""")
    assert (said, printed) == ([], 'True\nTrue\nTrue\n')


def test_what_is_due_at_the_end_is_done_and_no_signal_disturbs_it():
    status, said, printed = run(f"""
import atexit
atexit.register(lambda: (send({signal.SIGINT:d}), print('done')))
ends.begin('tool')
ends.leave(3)
""")
    assert (status, said, printed) == (3, [], 'done\n')


@pytest.mark.parametrize('raised', ['KeyboardInterrupt', "ImportError('half a library')"])
def test_an_interrupted_command_says_so_whatever_libraries_make_of_it(raised):
    status, said, _ = run(f"""
from forecast_detector.cli import info
def load(self):
    try:
        send({signal.SIGINT:d})
    except KeyboardInterrupt:
        raise {raised}
info.InfoCommand.run = load
sys.argv = ['forecast-detector', 'info', 'coco']
from forecast_detector.executables import forecast_detector
sys.exit(forecast_detector())
""")
    assert (status, said) == (130, ['forecast-detector: interrupted'])


def test_an_interrupted_command_waits_for_no_thread_of_a_library():
    status, said, printed = run(f"""
from threading import Thread
from forecast_detector.cli import info
def load(self):
    Thread(target=time.sleep, args=(3600,)).start()
    send({signal.SIGINT:d})
info.InfoCommand.run = load
sys.argv = ['forecast-detector', 'info', 'coco']
from forecast_detector.executables import forecast_detector
sys.exit(forecast_detector())
""")
    assert (status, said, printed) == (130, ['forecast-detector: interrupted'], '')


@pytest.mark.parametrize('number', SIGNALS)
@pytest.mark.parametrize(('command', 'name'), [
    (['info', 'coco'], 'numpy'), (['demo'], 'forecast_detector.cli.demo'),
    (['detect', 'clip.mp4'], 'torch'),
])
def test_a_command_that_starts_ends_in_one_line(command, name, number):
    process = subprocess.Popen(
        [sys.executable, '-c', HEAD + f"""
class Slow:
    def find_spec(self, name, *rest):
        if name == '{name}':
            print('loading', flush=True); time.sleep(60)
sys.meta_path.insert(0, Slow())
sys.argv = ['forecast-detector', *{command}]
from forecast_detector.executables import forecast_detector
forecast_detector()
"""], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert process.stdout.readline() == 'loading\n'
    process.send_signal(number)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 128 + number
    assert said.splitlines() == [f'forecast-detector: ended by {number.name} while it started']


@pytest.mark.parametrize('number', SIGNALS)
def test_a_node_that_is_run_as_a_module_ends_in_one_line_while_it_starts(number):
    process = subprocess.Popen(
        [sys.executable, '-c', HEAD + """
import runpy
class Slow:
    def find_spec(self, name, *rest):
        if name == 'forecast_detector.node':
            print('loading', 'torch' in sys.modules, flush=True); time.sleep(60)
sys.meta_path.insert(0, Slow())
runpy.run_module('forecast_detector.ros.detector_node', run_name='__main__')
"""], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert process.stdout.readline() == 'loading False\n'
    process.send_signal(number)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 128 + number
    assert said.splitlines() == [f'detector_node: ended by {number.name} while it started']
