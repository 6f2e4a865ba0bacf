"""What `format` says of a compressed image counts: mosaics, order of channels, video streams."""

import cv2
import numpy as np
import pytest

from forecast_detector.images import CompressedFormat, decode_compressed, decode_image
from forecast_detector.types import BadFrameError

RED = (230, 20, 20)
ORDERS = ('rggb', 'bggr', 'gbrg', 'grbg')


def scene(colour=RED, width=64, height=48):
    """Draw a box of a colour on grey; RGB."""
    image = np.full((height, width, 3), 120, np.uint8)
    image[8:40, 12:52] = colour
    return image


def mosaic(image, order):
    """Keep of each pixel the one channel that its filter lets through."""
    flat = np.empty(image.shape[:2], np.uint8)
    for place, letter in enumerate(order):
        y, x = divmod(place, 2)
        flat[y::2, x::2] = image[y::2, x::2, 'rgb'.index(letter)]
    return flat


def encode(suffix, pixels, *options):
    return cv2.imencode(suffix, pixels, list(options))[1].tobytes()


def middle(image):
    return image[24, 32].astype(int)


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('image_format, suffix', [
    ('bayer_{}8; jpeg compressed ', '.jpg'),
    ('bayer_{}8; jpeg compressed', '.jpg'),
    ('BAYER_{}8 ;JPEG  Compressed ', '.jpg'),
    ('bayer_{}8; png compressed ', '.png'),
    ('bayer_{}8; png compressed bayer_{}8', '.png'),
    ('bayer_{}8; tiff compressed ', '.tiff'),
    ('bayer_{}8; jpeg compressed mono8', '.jpg'),
])
def test_a_mosaic_is_turned_into_colours(order, image_format, suffix):
    flat = mosaic(scene(), order)
    image = decode_compressed(image_format.format(order, order), encode(suffix, flat))
    assert np.abs(middle(image) - RED).max() < 12
    if suffix == '.png':  # nothing is lost: exactly what the raw topic gives
        raw = decode_image(f'bayer_{order}8', 64, 48, 64, False, flat.tobytes())
        assert (image == raw).all()


@pytest.mark.parametrize('order', ORDERS)
def test_a_mosaic_of_16_bits_keeps_the_upper_byte(order):
    flat = mosaic(scene(), order)
    data = encode('.png', flat.astype(np.uint16) << 8 | 0x7F)
    image = decode_compressed(f'bayer_{order}16; png compressed ', data)
    assert (image == decode_image(f'bayer_{order}8', 64, 48, 64, False, flat.tobytes())).all()


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_a_mosaic_in_three_equal_channels_is_one(suffix):
    flat = mosaic(scene(), 'rggb')
    data = encode(suffix, np.repeat(flat[..., None], 3, axis=2))
    image = decode_compressed('bayer_rggb8; jpeg compressed ', data)
    assert np.abs(middle(image) - RED).max() < 12


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_colours_made_of_a_mosaic_by_the_publisher_stay(suffix):
    data = encode(suffix, scene()[..., ::-1])
    for target in ('bgr8', ''):
        image = decode_compressed(f'bayer_rggb8; jpeg compressed {target}', data)
        assert np.abs(middle(image) - RED).max() < 12
    grey = encode(suffix, np.full((48, 64, 3), 90, np.uint8))
    assert (decode_compressed('bayer_rggb8; jpeg compressed bgr8', grey) == 90).all()


def test_grey_made_of_a_mosaic_by_the_publisher_stays_grey():
    rng = np.random.default_rng(0)
    grey = cv2.resize(rng.integers(0, 255, (6, 8), np.uint8), (64, 48),
                      interpolation=cv2.INTER_CUBIC)
    image = decode_compressed('bayer_grbg8; png compressed mono8', encode('.png', grey))
    assert (image == grey[..., None]).all()


def test_a_mosaic_of_an_unknown_order_is_named():
    with pytest.raises(BadFrameError, match="'bayer_rgbw8' is unknown"):
        decode_compressed('bayer_rgbw8; png compressed ', encode('.png', scene()[..., 0]))


# The reference is compressed_subscriber.cpp: BGR only where the target says so, or nothing does.
@pytest.mark.parametrize('image_format, stored', [
    ('jpeg', 'bgr'), ('', 'bgr'), ('png', 'bgr'), ('JPEG', 'bgr'), ('jpg', 'bgr'),
    ('mjpeg', 'bgr'),
    ('rgb8; jpeg compressed bgr8', 'bgr'),
    ('bgr8; jpeg compressed bgr8', 'bgr'),
    (' RGB8;  JPEG   compressed   BGR8 ', 'bgr'),
    ('rgba8; png compressed bgr8', 'bgr'),
    ('rgb16; png compressed bgr16', 'bgr'),
    ('mono8; jpeg compressed ', 'bgr'),
    ('yuv422; jpeg compressed bgr8', 'bgr'),
    ('8UC3; jpeg compressed ', 'bgr'),
    ('bgr8; tiff compressed ', 'bgr'),
    ('rgb8; jpeg compressed rgb8', 'rgb'),
    ('rgb8; jpeg compressed ', 'rgb'),
    ('bgr8; jpeg compressed rgb8', 'rgb'),
    ('bgr8; jpeg compressed ', 'rgb'),
    ('RGB8 ;png compressed', 'rgb'),
    ('rgba8; png compressed rgba8', 'rgb'),
    ('rgb16; png compressed rgb16', 'rgb'),
    ('rgb8; tiff compressed ', 'rgb'),
    ('bayer_rggb8; jpeg compressed rgb8', 'rgb'),
])
def test_channels_are_in_the_order_of_the_reference_decoder(image_format, stored):
    pixels = scene() if stored == 'rgb' else scene()[..., ::-1]
    for suffix in ('.jpg', '.png', '.tiff', '.bmp'):
        image = decode_compressed(image_format, encode(suffix, pixels))
        assert np.abs(middle(image) - RED).max() < 12
    assert CompressedFormat.parse(image_format).is_plain == (
        stored == 'bgr' and 'bayer' not in image_format)


@pytest.mark.parametrize('image_format, stored', [
    ('bgra8; png compressed bgra8', 'bgr'), ('rgba8; png compressed bgr8', 'bgr'), ('png', 'bgr'),
    ('rgba8; png compressed rgba8', 'rgb'),
])
@pytest.mark.parametrize('bits', [8, 16])
def test_alpha_is_left_out_and_16_bits_keep_the_upper_byte(image_format, stored, bits):
    pixels = np.dstack([scene() if stored == 'rgb' else scene()[..., ::-1],
                        np.full((48, 64), 7, np.uint8)])
    if bits == 16:
        pixels = pixels.astype(np.uint16) << 8 | 0x30
    assert (decode_compressed(image_format, encode('.png', pixels)) == scene()).all()


def test_grey_of_16_bits_keeps_the_upper_byte():
    grey = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 20
    image = decode_compressed('mono16; png compressed ', encode('.png', grey))
    assert (image == (grey >> 8)[..., None]).all()


@pytest.mark.parametrize('image_format', [
    '16UC1; compressedDepth', '16UC1;compressedDepth png', '32FC1; compressedDepth rvl',
    '16uc1 ; png compressed ', '32FC1; tiff compressed ', 'compressedDepth',
])
def test_depth_has_no_colours(image_format):
    with pytest.raises(BadFrameError, match='depth image, without colours'):
        decode_compressed(image_format, encode('.png', scene()[..., 0]))


SPS, VPS = b'\x67\x42\x00\x1e\xab\x40', b'\x40\x01\x0c\x01\xff\xff'


@pytest.mark.parametrize('image_format', ['h264', 'jpeg', '', 'bgr8; jpeg compressed bgr8'])
@pytest.mark.parametrize('begin, codec', [
    (b'\0\0\0\x01' + SPS, 'H.264'), (b'\0\0\x01' + SPS, 'H.264'),
    (b'\0\0\0\x01\x09\xf0\0\0\0\x01' + SPS, 'H.264'), (b'\0\0\0\x01\x06\x01\x05', 'H.264'),
    (b'\0\0\0\x01\x65\x88\x84', 'H.264'), (b'\0\0\x01\x41\x9a\x02', 'H.264'),
    (b'\0\0\0\x01' + VPS, 'H.265'), (b'\0\0\x01\x02\x01\xd0', 'H.265'),
    (b'\0\0\0\x01\x26\x01\xaf', 'H.265'), (b'\0\0\x01\xb3\x14\x00', 'MPEG'),
    (b'\0\0\x01\xb0\x01\0\0\x01\xb5', 'MPEG'), (b'\x12\0\x0a\x0b\0\0\0', 'AV1'),
    (b'\x50\x31\x00\x9d\x01\x2a\x80\x02', 'VP8'), (b'\x82\x49\x83\x42\0', 'VP9'),
])
def test_a_video_stream_is_named_by_its_content(image_format, begin, codec):
    with pytest.raises(BadFrameError) as caught:
        decode_compressed(image_format, begin + bytes(300))
    text = str(caught.value)
    assert f'part of a video stream ({codec})' in text and 'republish' in text
    assert image_format in text and '\n' not in text


@pytest.mark.parametrize('image_format, codec', [
    ('h264', 'H.264'), ('H264', 'H.264'), ('h.264', 'H.264'), ('x264; bgr8', 'H.264'),
    ('avc1', 'H.264'), ('h264_nvenc', 'H.264'), ('bgr8; h264 compressed', 'H.264'),
    ('h265', 'H.265'), ('hevc', 'H.265'), ('HEVC', 'H.265'), ('hevc_vaapi', 'H.265'),
    ('av1', 'AV1'), ('libaom-av1', 'AV1'), ('vp8', 'VP8 or VP9'), ('vp9', 'VP8 or VP9'),
    ('mpeg4', 'MPEG'), ('ffmpeg', 'MPEG'), ('theora', 'MPEG'),
])
def test_a_video_stream_is_named_by_its_format(image_format, codec):
    with pytest.raises(BadFrameError, match=f'part of a video stream .{codec}'):
        # Lengths, no start codes.
        decode_compressed(image_format, b'\0\0\0\x2a\x65\x88' + bytes(40))


def test_a_picture_that_is_called_a_video_is_a_picture():
    image = decode_compressed('h264', encode('.png', scene()[..., ::-1]))
    assert (image == scene()).all()


@pytest.mark.parametrize('begin, kind', [
    (b'qoif\0\0\0\x40\0\0\0\x30\x03\0', 'QOI'), (b'\xff\x0a\xfa\x7f', 'JPEG XL'),
    (b'\0\0\0\x1cftypavif\0\0\0\0', 'AVIF'), (b'\0\0\0\x18ftypheic\0\0\0\0', 'HEIF'),
])
def test_a_picture_that_cannot_be_decoded_is_named_by_its_kind(begin, kind):
    with pytest.raises(BadFrameError) as caught:
        decode_compressed('jpeg', begin + bytes(100))
    assert f'it is {kind}' in str(caught.value) and 'expected JPEG or PNG' in str(caught.value)


def test_webp_is_read():
    image = decode_compressed('webp', encode('.webp', scene()[..., ::-1]))
    assert np.abs(middle(image) - RED).max() < 30
