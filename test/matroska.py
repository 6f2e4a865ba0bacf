"""A Matroska file of JPEGs, made by hand: any stamps, any claims about its length."""

import struct

import cv2
import numpy as np

OPEN = None  # a size left open, as in a live stream


def element(code, data, size=0):
    """Write an element; a size of OPEN is left open."""
    length = b'\x01' + b'\xff' * 7 if size is OPEN else (
        len(data) | 1 << 56).to_bytes(8, 'big')
    return bytes.fromhex(code) + length + data


def number(code, value):
    """Write a whole number."""
    return element(code, value.to_bytes(8, 'big'))


def real(code, value):
    """Write a float."""
    return element(code, struct.pack('>d', value))


def matroska(
    frames, stamps_ms, duration_ms=None, size=(64, 48), codec=b'V_MJPEG', frame_ms=None,
    live=False,
):
    """
    Write a file; returns its bytes.

    :param frames: bytes of each.
    :param duration_ms: what the container claims; None claims nothing.
    :param frame_ms: how long the container says that a frame lasts; None says nothing.
    :param live: sizes are left open.
    """
    info = number('2ad7b1', 1_000_000)
    if duration_ms is not None:
        info += real('4489', duration_ms)
    track = number('d7', 1) + number('73c5', 1) + number('83', 1) + element('86', codec)
    if frame_ms is not None:
        track += number('23e383', round(frame_ms * 1e6))
    track += element('e0', number('b0', size[0]) + number('ba', size[1]))
    clusters = b''
    for frame, stamp in zip(frames, stamps_ms):
        block = element('a3', b'\x81' + struct.pack('>h', 0) + b'\x80' + frame)
        clusters += element('1f43b675', number('e7', stamp) + block, OPEN if live else 0)
    body = element('1549a966', info) + element('1654ae6b', element('ae', track)) + clusters
    head = number('4286', 1) + element('4282', b'matroska') + number('4287', 4)
    head += number('4285', 2)
    return element('1a45dfa3', head) + element('18538067', body, OPEN if live else 0)


def jpegs(count, size=(64, 48), step=20):
    """Make flat JPEGs, each ``step`` brighter than the one before."""
    return [cv2.imencode('.jpg', np.full((size[1], size[0], 3), step * k, np.uint8))[1].tobytes()
            for k in range(count)]
