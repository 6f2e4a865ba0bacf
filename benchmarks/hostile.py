"""Malformed and hostile images, and requests for parameters; the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
import struct
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
Random = np.random.Generator
ENCODINGS = ('rgb8', 'bgr8', 'mono8', 'mono16', 'bayer_rggb8', 'yuv422', 'nv12', '16UC1', '')
TEXTS = (
    '', 'x' * 1_000_000, '\x1b[31m\n[FATAL] [1.0] [detector]: forged', '\0' * 100, '\u202e' * 50,
    'jpeg', 'rgb8; jpeg compressed bgr8', 'bayer_rggb8; png compressed ', '16UC1; compressedDepth',
    'h264', '\ud83d\ude00'.encode('utf-16', 'surrogatepass').decode('utf-16'),
)
NUMBERS = (0, 1, 2, 3, 7, 48, 64, 65_535, 2 ** 24, 2 ** 31, 2 ** 32 - 1)


@cache
def _encoded(suffix: str, side: int) -> bytes:
    noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    good, data = cv2.imencode(suffix, cv2.GaussianBlur(noise, (5, 5), 0))
    return bytes(data.tobytes()) if good else noise.tobytes()


def _pick(random: Random, values: Any) -> Any:
    return values[int(random.integers(len(values)))]


def _header(random: Random) -> SimpleNamespace:
    stamp = SimpleNamespace(sec=int(random.integers(-2 ** 31, 2 ** 31)),
                            nanosec=int(random.integers(2 ** 32)))
    return SimpleNamespace(stamp=stamp, frame_id=_pick(random, TEXTS))


def _raw(random: Random) -> SimpleNamespace:
    """Make a raw image whose fields may contradict each other."""
    height, width = (int(_pick(random, NUMBERS)) for _ in range(2))
    encoding = _pick(random, (*ENCODINGS, *TEXTS))
    step = _pick(random, (*NUMBERS, min(3 * width, 2 ** 32 - 1)))
    data = random.integers(0, 256, int(random.integers(30_000)), np.uint8)
    return SimpleNamespace(
        header=_header(random), height=height, width=width, encoding=encoding, step=int(step),
        is_bigendian=int(random.integers(2)), data=data)


def _damage(random: Random, data: bytearray) -> bytearray:
    """Flip, cut, repeat or forge."""
    kind = int(random.integers(6))
    if kind == 0:
        data = data[:int(random.integers(len(data) + 1))]
    elif kind == 1:
        for place in random.integers(len(data), size=int(random.integers(1, 20))):
            data[place] = int(random.integers(256))
    elif kind == 2:  # the header alone
        for place in random.integers(min(64, len(data)), size=4):
            data[place] = int(random.integers(256))
    elif kind == 3:
        at = int(random.integers(len(data)))
        data[at:at] = random.bytes(int(random.integers(1, 200)))
    elif kind == 4 and (at := max(data.find(b'\xff\xc0'), data.find(b'\xff\xc2'))) > 0:
        data[at + 5:at + 9] = struct.pack('>HH', *random.integers(1, 2 ** 16, 2).tolist())
    elif kind == 5 and data[:4] == b'\x89PNG':
        data[16:24] = struct.pack('>II', *random.integers(1, 2 ** 31, 2).tolist())
    return data


def _compressed(random: Random) -> SimpleNamespace:
    data = bytearray(random.bytes(int(random.integers(1, 3000))))
    if random.integers(5):
        suffix = _pick(random, ('.jpg', '.png', '.bmp', '.tiff', '.webp', '.ppm', '.jp2'))
        data = _damage(random, bytearray(_encoded(suffix, int(_pick(random, (16, 48))))))
    return SimpleNamespace(
        header=_header(random), format=_pick(random, TEXTS), data=np.frombuffer(bytes(data), 'u1'))


def messages(seed: int, count: int) -> Iterator[tuple[str, SimpleNamespace]]:
    """Make messages: the type of each, and its fields."""
    random = np.random.default_rng(seed)
    makers: tuple[tuple[str, Callable[[Random], SimpleNamespace]], ...] = (
        (IMAGE, _raw), (COMPRESSED, _compressed))
    for _ in range(count):
        kind, make = _pick(random, makers)
        yield kind, make(random)


def parameters(seed: int, count: int, names: list[str]) -> Iterator[tuple[str, int, Any]]:
    """
    Make requests for parameters.

    :param names: of those that there are.
    :returns: name, type as ``ParameterValue`` counts them (or none), value.
    """
    random = np.random.default_rng(seed)
    values: dict[int, Any] = {
        1: (True, False), 2: (0, -1, 2 ** 63 - 1, -2 ** 63, 7),
        3: (float('nan'), float('inf'), -1.0, 1e308, 0.5), 4: TEXTS,
        7: ([2 ** 62] * 1000, [], [32, 32]), 9: (['x' * 1000] * 100, ['/a', '/a'], ['\n'], []),
    }
    for _ in range(count):
        name = _pick(random, (*names, *TEXTS))
        kind = int(_pick(random, (*values, 0, 10, 99, 255)))
        yield name, kind, _pick(random, values[kind]) if kind in values else None
