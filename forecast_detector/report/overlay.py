"""A picture with its boxes on it, drawn sharp at any size."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ..records.trace import DrawnBox, Picture
from .svg import element, join, title

LETTER, LINE = 0.55, 1.35
# Left, top, width, height.
Area = tuple[float, float, float, float]


@dataclass(frozen=True)
class Shown:
    """A picture, what lies over it, and the words below and instead of it."""

    picture: Picture
    boxes: Markup
    place: str
    words: str


def show(picture: Picture, place: str) -> Shown:
    """Prepare a picture; ``place`` says where it is from."""
    names = ', '.join(dict.fromkeys(
        f'{box.name} {box.role}' if box.role != 'detected' else box.name
        for box in picture.boxes
    ))
    words = f'{picture.clip}, frame {picture.index}, {picture.caption}'
    return Shown(picture, _boxes(picture), place, f'{words}: {names}' if names else words)


def _boxes(picture: Picture) -> Markup:
    width, height = picture.size
    # Truth first, strong detections last and on top.
    ordered = sorted(picture.boxes, key=lambda box: -1.0 if box.score is None else box.score)
    taken: list[Area] = []
    # The strongest choose their places first.
    tags = [_tag(box, picture, taken) for box in reversed(ordered)]
    return element(
        'svg', join(_box(box) for box in ordered), join(tags),
        viewBox=f'0 0 {width:g} {height:g}', aria_hidden='true', class_='boxes',
    )


def _text(box: DrawnBox) -> str:
    return box.name if box.score is None else f'{box.name} {box.score:.2f}'


def _box(box: DrawnBox) -> Markup:
    x0, y0, x1, y1 = box.xyxy
    text = _text(box) if box.role == 'detected' else f'{_text(box)}, {box.role}'
    return element(
        'g', element('rect', title(text), x=x0, y=y0, width=max(1.0, x1 - x0),
                     height=max(1.0, y1 - y0), rx=2.0),
        class_=f'box {box.role}',
    )


def _tag(box: DrawnBox, picture: Picture, taken: list[Area]) -> Markup:
    """Write the name above the box or where there is room; without room hovering tells it."""
    if box.role in ('true', 'missed'):
        return Markup('')
    size, text = picture.size[0] / 18, _text(box)
    width, height = LETTER * size * len(text) + size * 0.5, LINE * size
    x0, y0, _, y1 = box.xyxy
    x = max(0.0, min(x0, picture.size[0] - width))
    places = [
        (x, top, width, height) for top in (y0 - height, y1, y0, y1 - height)
        if 0 <= top <= picture.size[1] - height
    ]
    place = next((p for p in places if not any(_meet(p, other) for other in taken)), None)
    if place is None:
        return Markup('')
    taken.append(place)
    top = place[1]
    return element(
        'g', element('rect', x=x, y=top, width=width, height=height, rx=2.0, class_='plate'),
        element('text', text, x=x + size * 0.35, y=top + height * 0.72, font_size=size),
        class_=f'tag {box.role}',
    )


def _meet(a: Area, b: Area) -> bool:
    return all(a[k] < b[k] + b[k + 2] and b[k] < a[k] + a[k + 2] for k in (0, 1))
