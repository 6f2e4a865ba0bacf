"""The field ``format`` of ``sensor_msgs/CompressedImage``, as image_transport understands it."""

from __future__ import annotations

from dataclasses import dataclass
import re

_COLOURS = {f'{order}{bits}' for order in ('rgb', 'bgr', 'rgba', 'bgra') for bits in (8, 16)}
_DEPTH = ('16uc1', '16sc1', '32fc1', '64fc1')


@dataclass(frozen=True)
class CompressedFormat:
    """
    What the publisher said of a compressed image.

    :ivar source: encoding of the image before it was compressed; '' where it does not say.
    :ivar target: encoding that was handed to the compressor; '' where it does not say.
    :ivar tail: everything behind the semicolon.
    """

    source: str = ''
    target: str = ''
    tail: str = ''

    @classmethod
    def parse(cls, text: str) -> CompressedFormat:
        """Take ``SOURCE; CODEC compressed TARGET`` apart, which image_transport writes."""
        source, semicolon, tail = text.lower().partition(';')
        if not semicolon:
            return cls(tail=source.strip())  # the codec alone
        tail = ' '.join(tail.split())
        found = re.search(r'compressed ([a-z]\w*)', tail)
        return cls(source.strip(), found[1] if found else '', tail)

    @property
    def is_depth(self) -> bool:
        """Whether it is a measurement rather than a picture."""
        return self.source in _DEPTH or 'compresseddepth' in f'{self.source} {self.tail}'

    @property
    def is_bayer(self) -> bool:
        """Whether the image was a Bayer mosaic."""
        return self.source.startswith('bayer_')

    @property
    def is_swapped(self) -> bool:
        """
        Whether red and blue are exchanged in the file.

        The compressor is made for BGR; ``compressed_image_transport`` takes the channels as they
        are for RGB unless the publisher says that it was given BGR.
        """
        if self.source not in _COLOURS:
            return self.is_bayer and self.target.startswith('rgb')
        if 'tiff' in self.tail and not self.target:
            return self.source.startswith('rgb')  # written in the order that the image had
        return not self.target.startswith('bgr')

    @property
    def is_plain(self) -> bool:
        """Whether the file by itself shows what the message shows."""
        return not (self.is_bayer or self.is_swapped)
