"""Text from messages and from libraries: escaped, cut, throttled before it stands in a log."""

from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

from forecast_detector.config import StreamConfig
from forecast_detector.engine.rules import break_in_stream, FIRST
from forecast_detector.images import decode_compressed, decode_image
from forecast_detector.legible import legible, line
from forecast_detector.node import NodeConfig
from forecast_detector.ros.stderr import KINDS, Lines
from forecast_detector.types import Frame

HOSTILE = {
    'escape codes': '\x1b[31m\x1b]0;title\x07red',
    'line breaks': 'rgb8\n[FATAL] [1795910214.2] [detector]: forged\r\u2028again',
    'direction': 'rgb8\u202e\u2066txt', 'nothing': '\0\0', 'half a letter': '\udcff\ud800',
    'a million letters': 'x' * 1_000_000, 'a million breaks': '\n' * 1_000_000,
}
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize('kind', HOSTILE)
def test_what_is_hidden_shows_and_what_is_long_is_cut(kind):
    for written in (legible(HOSTILE[kind]), line(f'encoding {HOSTILE[kind]} is unknown')):
        assert written.isprintable() and len(written) < 6000
        written.encode()


def test_plain_text_stays_as_it_is():
    for text in ('rgb8; jpeg compressed bgr8', 'Straße größer', '日本', '', "it's 5 %"):
        assert legible(text) == text
    assert legible('a\tb') == r'a\tb'
    assert legible('abcdef', 3) == 'abc... (6 letters)'


@pytest.mark.parametrize('kind', HOSTILE)
def test_errors_quote_messages_legibly(kind):
    text = HOSTILE[kind]
    errors = []
    for call in (
        lambda: decode_image(text, 2, 2, 6, False, bytes(12)),
        lambda: decode_compressed(text, b''),
        lambda: decode_compressed(text, bytes(100)),
        lambda: decode_compressed(f'16uc1{text}; compresseddepth', bytes(100)),
        lambda: NodeConfig(weights_sha256=text),
        lambda: NodeConfig(resize=text),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        errors.append(str(caught.value))
    assert all(error.isprintable() and len(error) < 1500 for error in errors)


@pytest.mark.parametrize('kind', HOSTILE)
def test_a_reason_for_a_reset_is_legible(kind):
    def frame(stamp_ns, name):
        return Frame(stamp_ns, lambda: np.zeros((2, 2, 3), np.uint8), (2, 2), name)

    run = FIRST.follow(None, frame(0, HOSTILE[kind]), (2, 2))
    why = break_in_stream(run, frame(1, 'lens'), StreamConfig())
    assert why.startswith('frame_id changed') and why.isprintable() and len(why) < 1200


LOG = '[ERROR] [1795910216.332229923] [detector]: image not used'


def test_lines_of_the_log_go_on():
    lines = Lines()
    for _ in range(50):
        assert lines.take(LOG) == LOG
    coloured = f'\x1b[31m{LOG}\x1b[0m'
    assert lines.take(coloured) == coloured
    assert lines.take(f'{LOG} \x1b[31m') == rf'{LOG} \x1b[31m'
    assert len(lines.take(LOG + 'x' * 1_000_000)) < 5000


def test_lines_of_libraries_are_throttled_by_kind():
    lines = Lines()
    taken = [lines.take(f'Corrupt JPEG data: {k} extraneous bytes before marker 0xd{k % 10}')
             for k in range(256)]
    assert [text for text in taken if text] == taken[:1]
    assert lines.take('libpng warning: iCCP: known incorrect sRGB profile')
    assert not lines.take('libpng warning: iCCP: known incorrect sRGB profile')


def test_a_flood_of_kinds_is_throttled_too():
    lines, letters = Lines(), 'abcdefghijklmnopqrstuvwxyz'
    taken = [lines.take(f'{a}{b}{c} went wrong') for a in letters for b in letters for c in 'xyz']
    assert sum(text is not None for text in taken) <= KINDS + 1


def test_a_process_cannot_be_flooded_and_loses_none_of_its_own_lines():
    program = f"""
import os, sys
from forecast_detector.ros.stderr import Filter
with Filter():
    for k in range(300):
        os.write(2, b'libpng error: read %d bytes\\n' % k)
    os.write(2, b'\\x1b[2Jcleared, \\xff\\n')
    print({LOG!r}, file=sys.stderr, flush=True)
    os.write(2, b'without an end')
os.write(2, b'after\\n')
"""
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                          timeout=100, cwd=ROOT)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        'libpng error: read 0 bytes', '\\x1b[2Jcleared, \ufffd', LOG, 'without an end', 'after']


def test_a_crash_is_seen():
    program = """
import ctypes
from forecast_detector.ros.stderr import Filter
with Filter():
    ctypes.string_at(0)
"""
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                          timeout=100, cwd=ROOT)
    assert done.returncode < 0 and 'Segmentation fault' in done.stderr
