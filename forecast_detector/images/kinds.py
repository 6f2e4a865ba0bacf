"""What data are, by their first bytes: a still picture of some kind, or part of a video."""

from __future__ import annotations

import re

# Those that OpenCV knows, and those that it mostly does not.
_PICTURES = {
    'JPEG': rb'\xff\xd8\xff',
    'PNG': rb'\x89PNG\r\n\x1a\n',
    'TIFF': rb'II[*+]\0|MM\0[*+]',
    'WebP': rb'RIFF....WEBP',
    'BMP': rb'BM....\0\0\0\0',
    'GIF': rb'GIF8[79]a',
    'JPEG 2000': rb'\0\0\0\x0cjP  |\xff\x4f\xff\x51',
    'PNM': rb'P[1-7][ \t\r\n#]',
    'QOI': rb'qoif',
    'JPEG XL': rb'\xff\x0a|\0\0\0\x0cJXL ',
    'AVIF': rb'....ftypavi[fs]',
    'HEIF': rb'....ftyp(?:hei|hev|mif1|msf1)',
}
# H.264 and H.265 as their standards' annexes B write them, and other codecs and containers. The
# bytes behind a start code are the type of the unit: of a slice, parameters, or a delimiter.
_VIDEOS = {
    'H.265': rb'\0?\0\0\x01(?:[@BDFNP][\x01-\x07]|[\x02\x04\x08\x10\x12\x20-\x2a]\x01)',
    'H.264': rb'\0?\0\0\x01[\x01-\x7f]',
    'MPEG': rb'\0?\0\0\x01[\x80-\xff]',
    'AV1': rb'\x12\0[\x0a\x0e\x1a\x22\x2a\x32]',
    'VP8': rb'...\x9d\x01\x2a',
    'VP9': rb'[\x80-\xbf]\x49\x83\x42',
    'IVF': rb'DKIF\0\0',
    'Matroska or WebM': rb'\x1a\x45\xdf\xa3',
    'MP4': rb'....ftyp',
}
# Names as drivers, encoders of FFmpeg and Foxglove write them into `format`.
_NAMES = {
    'H.264': r'h\.?264|x264|libx264|libopenh264|avc1?|h264_\w+',
    'H.265': r'h\.?265|x265|libx265|hevc|hev1|hvc1|hevc_\w+',
    'AV1': r'av0?1|libaom|libsvtav1|av1_\w+',
    'VP8 or VP9': r'vp0?[89]|libvpx|vp[89]_\w+',
    'MPEG': r'mpeg-?[124]\w*|mp4v?|xvid|theora|ffmpeg',
}
_PICTURE = [(kind, re.compile(text, re.DOTALL)) for kind, text in _PICTURES.items()]
_VIDEO = [(kind, re.compile(text, re.DOTALL)) for kind, text in _VIDEOS.items()]
_NAME = [(kind, re.compile(rf'(?<!\w)(?:{text})(?!\w)')) for kind, text in _NAMES.items()]


def picture_kind(head: bytes) -> str | None:
    """
    Name the kind of a still picture.

    :param head: the first 16 bytes, or more.
    :returns: None for anything else.
    """
    return next((kind for kind, known in _PICTURE if known.match(head)), None)


def video_kind(head: bytes, image_format: str = '') -> str | None:
    """
    Name the codec of a video stream, by its content or else by what it says of itself.

    :param head: the first 16 bytes, or more, of what is no still picture.
    :returns: None for anything else.
    """
    known = next((kind for kind, begin in _VIDEO if begin.match(head)), None)
    name = image_format.lower()
    return known or next((kind for kind, text in _NAME if text.search(name)), None)
