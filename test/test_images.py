"""Raw and compressed images become RGB; what cannot be used is named with its remedy."""

import cv2
import numpy as np
import pytest

from forecast_detector.images import (
    check_image_layout,
    decode_compressed,
    decode_image,
    ENCODINGS,
)
from forecast_detector.types import BadFrameError

RGB = (200, 100, 50)
GREY = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)


def pack(encoding, width=8, height=4, colour=RGB, is_bigendian=False):
    """Write a flat image down byte by byte, as the encoding's definition says."""
    if encoding.endswith('16') or encoding.startswith('16UC'):
        name = f'8{encoding[2:]}' if encoding.startswith('16UC') else f'{encoding[:-2]}8'
        data, step = pack(name, width, height, colour)
        pairs = [(value, 7) if is_bigendian else (7, value) for value in data]
        return bytes(byte for pair in pairs for byte in pair), 2 * step
    r, g, b = colour
    grey = round(0.299 * r + 0.587 * g + 0.114 * b)
    u = round(128 + 0.492 * (b - grey) * 224 / 255)
    v = round(128 + 0.877 * (r - grey) * 224 / 255 * 0.8)
    luma = round(16 + grey * 219 / 255)
    orders = {'rgb8': (r, g, b), 'bgr8': (b, g, r), '8UC3': (b, g, r), 'rgba8': (r, g, b, 9),
              'bgra8': (b, g, r, 9), '8UC4': (b, g, r, 9), 'mono8': (grey,), '8UC1': (grey,),
              'yuv422': (u, luma, v, luma), 'uyvy': (u, luma, v, luma),
              'yuv422_yuy2': (luma, u, luma, v), 'yuyv': (luma, u, luma, v)}
    if encoding == 'nv12':
        return bytes([luma]) * (width * height) + bytes([u, v]) * (width * height // 4), width
    if encoding.startswith('bayer_'):
        sites = {'r': r, 'g': g, 'b': b}
        a, b_, c, d = (sites[letter] for letter in encoding[6:10])
        block = bytes([a, b_] * (width // 2)) + bytes([c, d] * (width // 2))
        return block * (height // 2), width
    pixel = bytes(orders[encoding])
    shared = encoding in ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv')
    step = width * len(pixel) // (2 if shared else 1)
    return pixel * (step * height // len(pixel)), step


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_every_encoding_gives_the_colour_that_went_in(encoding):
    data, step = pack(encoding)
    image = decode_image(encoding, 8, 4, step, False, data)
    assert image.shape == (4, 8, 3) and image.dtype == np.uint8
    mono = encoding in ('mono8', '8UC1', 'mono16')
    expected = (GREY,) * 3 if mono else RGB
    tolerance = 12 if 'yu' in encoding or encoding in ('uyvy', 'nv12') else 0
    inner = image[1:-1, 1:-1].astype(int)
    assert np.abs(inner - expected).max() <= tolerance


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_padding_at_the_end_of_rows_is_skipped(encoding):
    data, step = pack(encoding)
    rows = [data[k:k + step] for k in range(0, len(data), step)]
    padded = b''.join(row + b'\xee\xee\xee\xee' for row in rows)
    plain = decode_image(encoding, 8, 4, step, False, data)
    assert (decode_image(encoding, 8, 4, step + 4, False, padded) == plain).all()
    # The last row may come without its padding.
    assert (decode_image(encoding, 8, 4, step + 4, False, padded[:-4]) == plain).all()


def test_mono16_in_both_byte_orders():
    assert decode_image('mono16', 1, 1, 2, False, b'\x01\xab')[0, 0].tolist() == [0xAB] * 3
    assert decode_image('mono16', 1, 1, 2, True, b'\xab\x01')[0, 0].tolist() == [0xAB] * 3


@pytest.mark.parametrize('encoding', ['rgb16', 'bgra16', '16UC3', 'bayer_grbg16'])
def test_deep_colour_in_both_byte_orders(encoding):
    images = []
    for is_bigendian in (False, True):
        data, step = pack(encoding, is_bigendian=is_bigendian)
        images.append(decode_image(encoding, 8, 4, step, is_bigendian, data))
    assert (images[0] == images[1]).all()
    assert images[0][1, 1].tolist() == list(RGB)


def test_the_result_is_a_copy():
    data = np.zeros(8 * 4 * 3, np.uint8)
    image = decode_image('rgb8', 8, 4, 24, 0, data)
    data[:] = 255
    assert image.max() == 0


@pytest.mark.parametrize('fields, words', [
    (('rgb8', 0, 4, 24, 96), ('0x4', 'positive', 'driver')),
    (('rgb8', 8, 4, 23, 96), ('step is 23', 'at least 24', 'correct')),
    (('rgb8', 8, 4, 24, 95), ('95 bytes', 'needs 96', 'truncated')),
    (('rgb9', 8, 4, 24, 96), ("'rgb9' is unknown", 'expected one of rgb8', 'convert')),
    (('16UC1', 8, 4, 16, 64), ('depth', 'colour topic')),
    (('32FC1', 8, 4, 32, 128), ('depth', 'colour topic')),
    (('yuv422', 7, 4, 14, 56), ('7x4', 'even', 'rgb8')),
    (('nv12', 8, 3, 8, 36), ('8x3', 'even')),
    (('nv12', 8, 4, 8, 40), ('40 bytes', 'needs 48')),
    (('mono16', 8, 4, 17, 96), ('step is 17',)),
])
def test_a_broken_layout_says_what_came_and_what_to_do(fields, words):
    with pytest.raises(BadFrameError) as caught:
        check_image_layout(*fields)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize('suffix, tolerance', [('.png', 0), ('.jpg', 3)])
def test_compressed_images(suffix, tolerance):
    bgr = np.full((16, 24, 3), RGB[::-1], np.uint8)
    data = cv2.imencode(suffix, bgr)[1]
    image = decode_compressed('jpeg', data.tobytes())
    assert image.shape == (16, 24, 3)
    assert np.abs(image.astype(int) - RGB).max() <= tolerance


@pytest.mark.parametrize('image_format, data, words', [
    ('jpeg', b'', 'no data'),
    ('jpeg', b'hello, this is not an image', '27 bytes cannot be decoded'),
    ('16UC1; compressedDepth png', b'123', 'depth image'),
])
def test_compressed_images_that_cannot_be_used(image_format, data, words):
    with pytest.raises(BadFrameError, match=words):
        decode_compressed(image_format, data)


def test_a_truncated_jpeg_is_refused():
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = cv2.imencode('.jpg', noise)[1].tobytes()
    decode_compressed('jpeg', data)
    decode_compressed('jpeg', data + bytes(500))
    with pytest.raises(BadFrameError, match='truncated'):
        decode_compressed('jpeg', data[:len(data) // 2])
