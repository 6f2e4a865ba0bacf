"""Pictures that are cut or have a hole are refused; bytes behind the end do no harm."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from forecast_detector.images import decode_compressed, jpeg
from forecast_detector.types import BadFrameError

QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 90]
KINDS = {
    'sequential': QUALITY,
    'full colours': [*QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                     cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
    'progressive': [*QUALITY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    'own tables': [*QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    'restarts': [*QUALITY, cv2.IMWRITE_JPEG_RST_INTERVAL, 4],
}


def picture(channels=3):
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, channels), np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0)


@pytest.fixture(params=[*KINDS, 'grey'])
def whole(request):
    """Give a JPEG of every kind that libjpeg writes."""
    pixels = picture(1 if request.param == 'grey' else 3)
    return cv2.imencode('.jpg', pixels, KINDS.get(request.param, QUALITY))[1].tobytes()


@pytest.fixture(params=['simplejpeg', 'OpenCV alone'])
def decoder(request, monkeypatch):
    """Decode with the library, and as a robot without it does."""
    if request.param == 'OpenCV alone':
        monkeypatch.setattr(jpeg, 'simplejpeg', None)
    elif jpeg.simplejpeg is None:
        pytest.skip('simplejpeg is not installed')
    return request.param


def expected(data):
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def exif(orientation=1, thumbnail=b''):
    """Make an APP1 segment; behind its directory stands the thumbnail, a JPEG of its own."""
    tiff = b'II*\0\x08\0\0\0' + struct.pack('<HHHIHHI', 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b'Exif\0\0' + tiff + thumbnail
    return b'\xff\xe1' + struct.pack('>H', len(body) + 2) + body


def test_a_whole_jpeg_gives_the_pixels_that_opencv_gives(whole, decoder):
    assert (decode_compressed('jpeg', whole) == expected(whole)).all()


@pytest.mark.parametrize('trailer', [
    bytes(500), b'\xee' * 200, b'SEFT' + bytes(range(1, 250)), b'\xff\xd8\xff\xe0\0\x10JFIF',
    b'\xff\xd9\xff\xd9', b'\xff\xd0\xff', b'\xff',
], ids=['zeros', 'one byte', 'vendor', 'second picture', 'ends', 'markers', 'half a marker'])
def test_bytes_behind_the_end_do_no_harm(whole, decoder, trailer):
    assert (decode_compressed('jpeg', whole + trailer) == expected(whole)).all()
    assert (decode_compressed('jpeg', whole + whole[:700]) == expected(whole)).all()


@pytest.mark.parametrize('spare', [b'\0', b'\xa5\x5a', bytes(8)])
def test_a_few_bytes_before_the_end_as_webcams_leave_them_do_no_harm(whole, decoder, spare):
    data = whole[:-2] + spare + whole[-2:]
    assert (decode_compressed('jpeg', data) == expected(whole)).all()


@pytest.mark.parametrize('share', [0.3, 0.5, 0.8, 0.99])
def test_a_cut_jpeg_is_refused(whole, decoder, share):
    with pytest.raises(BadFrameError, match='JPEG without end: truncated'):
        decode_compressed('jpeg', whole[:int(len(whole) * share)])


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(whole, decoder):
    thumbnail = cv2.imencode('.jpg', picture()[:32, :32])[1].tobytes()
    data = whole[:2] + exif(thumbnail=thumbnail) + whole[2:]
    assert (decode_compressed('jpeg', data) == expected(whole)).all()
    with pytest.raises(BadFrameError, match='truncated'):
        decode_compressed('jpeg', data[:len(data) * 2 // 3])
    with pytest.raises(BadFrameError, match='truncated'):
        decode_compressed('jpeg', data[:2 + len(exif(thumbnail=thumbnail)) + 300])


@pytest.mark.skipif(jpeg.simplejpeg is None, reason='needs simplejpeg')
@pytest.mark.parametrize('kind', ['sequential', 'full colours', 'own tables', 'restarts', 'grey'])
@pytest.mark.parametrize('place', [0.25, 0.4, 0.6, 0.75])
@pytest.mark.parametrize('lost', [0.12, 0.24])
def test_a_jpeg_with_a_hole_is_refused(kind, place, lost):
    pixels = picture(1 if kind == 'grey' else 3)
    data = cv2.imencode('.jpg', pixels, KINDS.get(kind, QUALITY))[1].tobytes()
    begin, end = int(len(data) * place), int(len(data) * (place + lost))
    holed = data[:begin] + data[end:]
    assert holed.endswith(b'\xff\xd9')
    with pytest.raises(BadFrameError, match='lost bytes in its middle'):
        decode_compressed('jpeg', holed)


@pytest.mark.skipif(jpeg.simplejpeg is None, reason='needs simplejpeg')
def test_a_hole_in_a_progressive_jpeg_is_refused():
    data = cv2.imencode('.jpg', picture(), KINDS['progressive'])[1].tobytes()
    first = data.index(b'\xff\xda') + 40
    with pytest.raises(BadFrameError, match='lost bytes in its middle'):
        decode_compressed('jpeg', data[:first] + data[first + 400:])


@pytest.mark.skipif(jpeg.simplejpeg is None, reason='needs simplejpeg')
@pytest.mark.parametrize('lost', [b'\xff\xc4', b'\xff\xda'], ids=['table', 'scan'])
def test_a_progressive_jpeg_that_lost_a_whole_segment_is_refused(lost):
    # After some errors libjpeg leaves what was in memory before: other pictures.
    data = cv2.imencode('.jpg', picture(), KINDS['progressive'])[1].tobytes()
    begin = data.index(lost, data.index(b'\xff\xda') + 2)
    end = min(data.index(marker, begin + 2) for marker in (b'\xff\xc4', b'\xff\xda'))
    with pytest.raises(BadFrameError, match='JPEG that'):
        decode_compressed('jpeg', data[:begin] + data[end:])


@pytest.mark.skipif(jpeg.simplejpeg is None, reason='needs simplejpeg')
def test_nothing_is_spare_between_the_scans_of_a_progressive_jpeg():
    data = cv2.imencode('.jpg', picture(), KINDS['progressive'])[1].tobytes()
    begin = data.index(b'\xff\xc4', data.index(b'\xff\xda') + 2)
    with pytest.raises(BadFrameError, match='lost bytes in its middle'):
        decode_compressed('jpeg', data[:begin] + bytes(range(1, 13)) + data[begin:])


def test_lost_restart_intervals_are_noticed_without_the_library_too(decoder):
    data = cv2.imencode('.jpg', picture(), KINDS['restarts'])[1].tobytes()
    begin, end = data.index(b'\xff\xd2'), data.index(b'\xff\xd5')
    with pytest.raises(BadFrameError, match='lost bytes in its middle'):
        decode_compressed('jpeg', data[:begin] + data[end:])


@pytest.mark.skipif(jpeg.simplejpeg is None, reason='needs simplejpeg')
def test_a_webcams_odd_scan_header_neither_harms_nor_hides_a_hole():
    data = bytearray(cv2.imencode('.jpg', picture(), QUALITY)[1].tobytes())
    scan = data.index(b'\xff\xda')
    assert data[scan + 11:scan + 14] == b'\x00\x3f\x00'
    data[scan + 12] = 0  # libjpeg: invalid SOS parameters for sequential JPEG
    whole = cv2.imencode('.jpg', picture(), QUALITY)[1].tobytes()
    assert (decode_compressed('jpeg', bytes(data)) == expected(whole)).all()
    with pytest.raises(BadFrameError, match='lost bytes in its middle'):
        decode_compressed('jpeg', bytes(data[:2000] + data[2800:]))


def test_a_cut_mosaic_is_refused():
    data = cv2.imencode('.jpg', picture(1), QUALITY)[1].tobytes()
    with pytest.raises(BadFrameError, match='truncated'):
        decode_compressed('bayer_rggb8; jpeg compressed ', data[:3000])


def test_a_header_alone_is_refused(whole, decoder):
    for size in (3, 4, 20, 200):
        with pytest.raises(BadFrameError):
            decode_compressed('jpeg', whole[:size])


def test_a_header_of_an_absurd_size_is_refused(whole, decoder):
    data = bytearray(whole)
    for marker in (b'\xff\xc0', b'\xff\xc2'):
        if marker in data:
            at = data.index(marker)
            data[at + 5:at + 9] = b'\xff\xff\xff\xff'
    with pytest.raises(BadFrameError):
        decode_compressed('jpeg', bytes(data))


def test_without_the_library_it_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(jpeg, 'simplejpeg', None)
    jpeg.say_once.cache_clear()
    data = cv2.imencode('.jpg', picture())[1].tobytes()
    for _ in range(3):
        decode_compressed('jpeg', data)
    assert len(caplog.messages) == 1 and 'pip install simplejpeg' in caplog.text


def png(pixels=None):
    return cv2.imencode('.png', picture() if pixels is None else pixels)[1].tobytes()


def test_bytes_behind_the_end_of_a_png_do_no_harm():
    for trailer in (bytes(300), b'\xee' * 200, png()[:100]):
        assert (decode_compressed('png', png() + trailer) == expected(png())).all()


@pytest.mark.parametrize('share', [0.01, 0.3, 0.5, 0.99])
def test_a_cut_png_is_refused(share):
    with pytest.raises(BadFrameError, match='PNG without end: truncated'):
        decode_compressed('png', png()[:int(len(png()) * share) + 8])


def test_a_damaged_png_is_refused():
    data = bytearray(png())
    data[len(data) // 2] ^= 1
    with pytest.raises(BadFrameError, match='damaged PNG'):
        decode_compressed('png', bytes(data))
    with pytest.raises(BadFrameError, match='PNG'):
        decode_compressed('png', png()[:9000] + png()[9500:])


def test_a_damaged_remark_in_a_png_does_no_harm():
    whole = png()
    remark = struct.pack('>I', 9) + b'tEXtComment\0a' + b'\0\0\0\0'
    assert zlib.crc32(remark[4:-4]) != 0
    data = whole[:33] + remark + whole[33:]
    assert (decode_compressed('png', data) == expected(whole)).all()


@pytest.mark.parametrize('suffix', ['.webp', '.tiff', '.bmp'])
def test_other_kinds_that_are_cut_are_refused_in_one_voice(suffix, capfd):
    data = cv2.imencode(suffix, picture())[1].tobytes()
    with pytest.raises(BadFrameError, match='truncated'):
        decode_compressed('', data[:len(data) // 2])
    assert capfd.readouterr().err == ''  # OpenCV's own lines name no file
