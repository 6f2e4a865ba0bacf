"""Which truth belongs to which image of a recording, also where stamps do not tell."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

# Fewer are no evidence of two clocks that run alike.
LEAST_STEPS = 2

# A stamp, and the numbers of images and truths that have it.
Row = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Recorded:
    """
    An image or a truth, in the order of recording.

    :ivar log_ns: time of recording.
    :ivar stamp_ns: of its header; None if it cannot be read.
    :ivar content: equal for truths that say the same.
    :ivar repeats: whether an image is the one before once more, byte by byte.
    :ivar is_whole: whether it can be read.
    """

    log_ns: int
    stamp_ns: int | None
    content: Hashable = None
    repeats: bool = False
    is_whole: bool = True


@dataclass
class Pairing:
    """
    The truth of each image.

    :ivar truths: for each image the place of its truth, or None.
    :ivar notes: what is odd about the stamps, and what was done instead, in words.
    """

    truths: list[int | None]
    notes: list[str] = field(default_factory=list)


def pair(images: Sequence[Recorded], truths: Sequence[Recorded], tolerance_ns: int) -> Pairing:
    """
    Find the truth of each image, by stamp where the stamps tell images apart.

    Where several images or truths have one stamp (drivers that set none, a recorded loop), the
    k-th image has the k-th truth of that stamp if there are as many, and times of recording do
    not contradict. Else truths that say the same serve all images of a loop, and others go by
    time of recording, as they would by stamp, if every one finds its image. What stays unclear
    has no truth. Stamps of two clocks are paired by order, if there are as many of both and
    their steps agree.

    :param tolerance_ns: how far apart may be what belongs together.
    """
    images, truths = _constant(images), _constant(truths)
    by_image, by_truth = _groups(images), _groups(truths)
    found = Pairing([None] * len(images))
    shared: list[Row] = []
    unclear: list[Row] = []
    for (stamp, group), partner in zip(
        by_image.items(), match_stamps(list(by_image), list(by_truth), tolerance_ns)
    ):
        if partner is None:
            continue
        chosen = _choose(images, group, truths, by_truth[partner], tolerance_ns)
        if max(len(group), len(by_truth[partner])) > 1:
            row = (stamp, len(group), len(by_truth[partner]))
            (unclear if chosen is None else shared).append(row)
        for image, truth in zip(group, chosen or ()):
            found.truths[image] = truth
    found.notes = _notes(shared, unclear)
    if truths and not shared and not unclear and not any(t is not None for t in found.truths):
        return _other_clock(images, truths, tolerance_ns) or found
    return found


def _notes(shared: list[Row], unclear: list[Row]) -> list[str]:
    notes = []
    for rows, what in (
        (shared, 'their truths are paired by order of recording'),
        (unclear, 'neither order nor times of recording tell which truth is whose: they count as '
                  'not annotated; record the truth with the stamps of its images'),
    ):
        if rows:
            stamp, images, truths = rows[0]
            more = f', and {len(rows) - 1} more stamps alike' if len(rows) > 1 else ''
            notes.append(f'{images} images and {truths} truths have the stamp {stamp} ns{more}: '
                         f'{what}')
    return notes


def _constant(marks: Sequence[Recorded]) -> list[Recorded]:
    """Give messages that cannot be read the stamp of the others, if these have but one."""
    stamps = {mark.stamp_ns for mark in marks if mark.stamp_ns is not None}
    if len(stamps) != 1:
        return list(marks)
    (stamp,) = stamps
    return [replace(mark, stamp_ns=stamp) for mark in marks]


def _groups(marks: Sequence[Recorded]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for place, mark in enumerate(marks):
        if mark.stamp_ns is not None:
            groups[mark.stamp_ns].append(place)
    return groups


def _choose(
    images: Sequence[Recorded], group: list[int], truths: Sequence[Recorded],
    candidates: list[int], tolerance_ns: int,
) -> Sequence[int | None] | None:
    """Choose among truths of one stamp for images of one stamp; None if that is not clear."""
    if len(group) == len(candidates) == 1:
        return candidates
    timed = _by_time(images, group, truths, candidates, tolerance_ns)
    if len(group) == len(candidates):
        agree = all(timed.get(image, truth) == truth for image, truth in zip(group, candidates))
        return candidates if agree else None
    # A picture that was published twice has one truth.
    turns = [sum(not images[image].repeats for image in group[:k + 1]) for k in range(len(group))]
    if turns[-1] == len(candidates):
        return [candidates[turn - 1] for turn in turns]
    if _is_key(images, group) and len({truths[truth].content for truth in candidates}) == 1:
        return candidates[:1] * len(group)
    if len(timed) == min(len(group), len(candidates)):
        return [timed.get(image) for image in group]
    return None


def _is_key(images: Sequence[Recorded], group: list[int]) -> bool:
    """Whether a stamp means one exposure: it does not if it is none, or stands still."""
    apart = all(after - before > 1 for before, after in zip(group, group[1:]))
    return len(group) == 1 or (bool(images[group[0]].stamp_ns) and apart)


def _by_time(
    images: Sequence[Recorded], group: Sequence[int], truths: Sequence[Recorded],
    candidates: Sequence[int], tolerance_ns: int,
) -> dict[int, int]:
    """Match images and truths by time of recording; image to truth."""
    image_at = {images[image].log_ns: image for image in group}
    truth_at = {truths[truth].log_ns: truth for truth in candidates}
    if len(image_at) < len(group) or len(truth_at) < len(candidates):
        return {}  # the times do not tell either
    matched = zip(image_at.values(), match_stamps(list(image_at), list(truth_at), tolerance_ns))
    return {image: truth_at[log_ns] for image, log_ns in matched if log_ns is not None}


def _other_clock(
    images: Sequence[Recorded], truths: Sequence[Recorded], tolerance_ns: int
) -> Pairing | None:
    """Pair by order what has stamps that have nothing in common; None if that is not clear."""
    ours, theirs = ([m.stamp_ns for m in marks if m.stamp_ns is not None]
                    for marks in (images, truths))
    if not ours or not theirs or max(ours) >= min(theirs) and max(theirs) >= min(ours):
        return None
    everything = list(range(len(images))), list(range(len(truths)))
    if len(images) == len(truths) > LEAST_STEPS and _run_alike(ours, theirs, tolerance_ns):
        chosen = _choose(images, everything[0], truths, everything[1], tolerance_ns)
    elif len(set(ours)) == 1 < len(ours) or len(set(theirs)) == 1 < len(theirs):
        timed = _by_time(images, everything[0], truths, everything[1], tolerance_ns)
        chosen = [timed.get(image) for image in everything[0]] if timed else None
        if len(timed) < len(truths):
            return None
    else:
        return None
    if chosen is None:
        return None
    return Pairing(list(chosen), [
        f'images and truths have stamps of two clocks (the first {ours[0]} and {theirs[0]} ns): '
        f'they are paired by order of recording'
    ])


def _run_alike(ours: Sequence[int], theirs: Sequence[int], tolerance_ns: int) -> bool:
    """Whether two clocks have the same steps, or one of them stands still."""
    if len(set(ours)) == 1 or len(set(theirs)) == 1:
        return True
    return len(ours) == len(theirs) and all(
        abs((b - a) - (d - c)) <= tolerance_ns
        for a, b, c, d in zip(ours, ours[1:], theirs, theirs[1:])
    )


def match_stamps(
    images_ns: Sequence[int], truths_ns: Sequence[int], tolerance_ns: int
) -> list[int | None]:
    """
    Find the truth of each image by its stamp.

    An equal stamp is the image's own. Where there is none, image and message belong together
    if each is the other's nearest, of those without an equal, and no further than the tolerance.

    :returns: for each image the stamp of its message, or None.
    """
    equal = set(truths_ns) & set(images_ns)
    images, truths = (sorted(set(stamps) - equal) for stamps in (images_ns, truths_ns))
    found = {stamp: stamp for stamp in equal}
    for image in images:
        truth = _nearest(truths, image)
        if truth is not None and abs(truth - image) <= tolerance_ns and (
            _nearest(images, truth) == image
        ):
            found[image] = truth
    return [found.get(stamp) for stamp in images_ns]


def _nearest(stamps: Sequence[int], stamp: int) -> int | None:
    """Nearest of rising stamps, the earlier of two."""
    at = bisect_left(stamps, stamp)
    return min(stamps[max(0, at - 1):at + 1], key=lambda s: abs(s - stamp), default=None)
