"""Pascal VOC annotation files, which ImageNet VID and DET use too."""

from __future__ import annotations

from dataclasses import dataclass
import math
from pathlib import Path
from xml.etree import ElementTree


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


def _object(node: ElementTree.Element) -> VocObject:
    corners = [float(node.findtext(f'bndbox/{key}', ''))
               for key in ('xmin', 'ymin', 'xmax', 'ymax')]
    name = (node.findtext('name') or '').strip()
    if not name:
        raise ValueError('an object without name')
    if not all(map(math.isfinite, corners)):
        raise ValueError(f'{name}: box {corners} is not finite')
    if corners[2] < corners[0] or corners[3] < corners[1]:
        raise ValueError(f'{name}: box {corners} ends before it begins')
    return VocObject(
        name, (corners[0], corners[1], corners[2], corners[3]),
        int(node.findtext('trackid', '-1')), node.findtext('difficult', '0').strip() == '1',
    )


def read_voc(path: Path) -> VocImage:
    """
    Read an annotation file.

    :raises FileNotFoundError: if it is missing.
    :raises ValueError: if it is not XML, or an object lacks its name, a corner or a sane box.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such annotation file; every image of the list needs one, even if empty'
        )
    try:
        root = ElementTree.parse(path).getroot()
        size = tuple(int(root.findtext(f'size/{key}', '0')) for key in ('width', 'height'))
        return VocImage((size[0], size[1]), tuple(_object(n) for n in root.iter('object')))
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(
            f'{path}: not a Pascal VOC annotation ({error}); expected object/name and '
            f'object/bndbox/xmin, ymin, xmax, ymax; correct it, or fetch it again'
        ) from error
