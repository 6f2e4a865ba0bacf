"""Names of classes, which files of weights do not hold."""

from __future__ import annotations

from pathlib import Path

# The classes of COCO in the order of published weights.
_COCO = (
    'person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire '
    'hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, '
    'bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, '
    'snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, '
    'tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, '
    'sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted '
    'plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, '
    'microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, '
    'hair drier, toothbrush'
)
COCO = tuple(_COCO.split(', '))


def choose_labels(classes: int, named: str | None) -> tuple[str, ...]:
    """
    Name the classes of weights.

    :param named: a text file with one name a line, or names with commas between; None takes
        those of COCO, where there are as many.
    :raises ValueError: for a number that does not fit, names that are there twice, no file.
    """
    if named is None:
        if classes == len(COCO):
            return COCO
        raise ValueError(
            f'the weights know {classes} classes, and no names for them; give --labels, a file '
            'with one name a line, or names with commas between'
        )
    names = _read(named)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f'--labels: {twice} are there twice; rename one of each')
    if len(names) != classes:
        raise ValueError(
            f'--labels: {len(names)} names ({", ".join(names[:3])} …); the weights know {classes} '
            'classes: name each, in the order of the training'
        )
    return tuple(names)


def _read(named: str) -> list[str]:
    path = Path(named)
    if ',' in named and not path.is_file():
        parts = named.split(',')
    elif path.is_file():
        try:
            parts = path.read_text(encoding='utf-8-sig').splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f'--labels: {named}: not a text file in UTF-8') from error
    elif path.suffix or path.exists() or len(path.parts) != 1:
        raise ValueError(f'--labels: no file {named!r}; expected is a text file, one name a line')
    else:
        parts = [named]
    return [name.strip() for name in parts if name.strip()]
