"""Pascal VOC annotation files, which ImageNet VID and DET use too."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
import math
from pathlib import Path
import re
from xml.etree import ElementTree

from .text import decode_text, marked_encoding

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
YES, NO = ('1', 'true', 'yes'), ('', '0', 'false', 'no')


@dataclass(frozen=True)
class VocObject:
    """
    One annotated object.

    :ivar box: (xmin, ymin, xmax, ymax) as in the file, pixels.
    :ivar track: ImageNet VID's ``trackid``; -1 where there is none.
    """

    name: str
    box: tuple[float, float, float, float]
    track: int = -1
    difficult: bool = False


@dataclass(frozen=True)
class VocImage:
    """
    One annotation file.

    :ivar size: (width, height) in pixels; zeros where the file does not say.
    """

    size: tuple[int, int]
    objects: tuple[VocObject, ...]


def _number(node: ElementTree.Element, key: str) -> float | None:
    """
    Read a number.

    :returns: None where the field is missing or empty.
    :raises ValueError: if it is something else; names the field.
    """
    text = (node.findtext(key) or '').strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'{key} is {text!r}; expected a number') from None


def _box(node: ElementTree.Element) -> tuple[float, float, float, float]:
    corners = []
    for key in CORNERS:
        value = _number(node, f'bndbox/{key}')
        if value is None:
            raise ValueError(f'bndbox/{key} is missing or empty; expected a number')
        corners.append(value)
    if not all(math.isfinite(corner) and abs(corner) < 2 ** 31 for corner in corners):
        raise ValueError(f'box {corners} is not finite, or beyond any picture')
    if corners[2] < corners[0] or corners[3] < corners[1]:
        raise ValueError(f'box {corners} ends before it begins')
    return corners[0], corners[1], corners[2], corners[3]


def _track(node: ElementTree.Element) -> int:
    """Read the track; below 0 and an empty field are no track."""
    text = (node.findtext('trackid') or '').strip() or '-1'
    found = re.fullmatch(r'([+-]?\d+)(\.0*)?', text)
    if found is None or int(found[1]) >= 2 ** 63:
        raise ValueError(f'trackid is {text!r}; expected a whole number below 2^63')
    return max(-1, int(found[1]))


def _difficult(node: ElementTree.Element) -> bool:
    text = (node.findtext('difficult') or '').strip().lower()
    text = re.sub(r'^([01])\.0*$', r'\1', text)
    if text not in YES + NO:
        raise ValueError(f'difficult is {text!r}; expected 0 or 1')
    return text in YES


def _object(node: ElementTree.Element, number: int) -> VocObject:
    name = (node.findtext('name') or '').strip()
    if not name:
        raise ValueError(f'object {number} without name')
    try:
        return VocObject(name, _box(node), _track(node), _difficult(node))
    except ValueError as error:
        raise ValueError(f'object {number}, {name}: {error}') from None


def _size(root: ElementTree.Element) -> tuple[int, int]:
    """Read the size; what is no number above 0 says nothing, and no data set here asks for it."""
    sides = []
    for key in ('width', 'height'):
        try:
            value = _number(root, f'size/{key}') or 0.0
        except ValueError:
            value = 0.0
        sides.append(round(value) if 0 < value < 2 ** 31 else 0)
    return sides[0], sides[1]


def _decode(data: bytes, path: Path) -> str:
    """
    Decode XML by its byte order mark, its declaration, or as UTF-8.

    Expat knows few encodings (not GB2312, say), and stops at a declared UTF-16 in a file that
    was saved as UTF-8 later.
    """
    declared = re.match(rb'\s*<\?xml[^>]*encoding\s*=\s*["\']([\w.-]+)', data)
    if marked_encoding(data) is None and declared:
        name = declared[1].decode()
        try:
            wide = codecs.lookup(name).name.startswith(('utf-16', 'utf-32'))
            if not wide and (text := data.decode(name)):
                return text
        except (LookupError, UnicodeDecodeError) as error:
            raise ValueError(
                f'{path}: its declaration says encoding {name!r}, which it is not or nobody '
                f'knows ({error}); save it as UTF-8'
            ) from error
    return decode_text(data, path)


def _root(text: str) -> ElementTree.Element:
    """
    Parse XML; names lose their namespace.

    :raises ValueError: for XML of another kind, which would seem to have no objects.
    """
    root = ElementTree.fromstring(text)
    for node in root.iter():
        if isinstance(node.tag, str):
            node.tag = node.tag.rpartition('}')[2]
    if root.tag != 'annotation' and root.find('.//object') is None:
        raise ValueError(f'it begins with <{root.tag}> and has no object; expected <annotation>')
    return root


def read_voc(path: Path) -> VocImage:
    """
    Read an annotation file.

    Sizes and tracks may be missing, empty, or written as floats.

    :raises FileNotFoundError: if it is missing.
    :raises ValueError: if it is not XML or in another encoding than it says, or an object lacks
        its name, a corner or a sane box; names the field.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such annotation file; every image of the list needs one, even if empty'
        )
    text = _decode(path.read_bytes(), path)
    try:
        root = _root(text.strip())
        objects = (_object(n, k) for k, n in enumerate(root.iter('object'), 1))
        return VocImage(_size(root), tuple(objects))
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(
            f'{path}: not a Pascal VOC annotation ({error}); correct it, or fetch it again'
        ) from error
