"""Results as tables, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..records.evaluation import (
    Evaluation,
    Found,
    measure,
    Percentiles,
    Provenance,
    Replay,
    Topic,
    Versus,
)
from ..records.sweep import Sweep, SweepPoint


@dataclass(frozen=True)
class Column:
    """
    A figure of the points of a sweep.

    :ivar always: whether it stands there, known or not.
    """

    name: str
    of: Callable[[SweepPoint], float | None]
    width: int = 10
    digits: int = 4
    always: bool = False

    def write(self, point: SweepPoint) -> str:
        """Write the figure of a point."""
        value = self.of(point)
        text = '–' if value is None else f'{value:.{self.digits}f}'
        return f'{text:>{self.width}}'


COLUMNS = (
    Column('{measure}@0.5', lambda q: q.ap50, 15, always=True),
    Column('tolerant', lambda q: q.map50_tolerant),
    Column('recall', lambda q: q.recall50),
    Column('to find', lambda q: q.frames_to_find, 9, 2),
    Column('ann. recall', lambda q: q.annotated_recall50, 13),
    Column('overlap', lambda q: q.annotated_overlap),
)


def reference(origin: Provenance) -> str:
    """Say what an agreement is with."""
    return f'what reading every frame gives (score {origin.get("reference_score")} or more)'


def user_threshold(origin: Provenance) -> str:
    """Say from which score a user sees a detection; '' where that is not told."""
    key = 'score_threshold' if 'written_score_threshold' not in origin else (
        'written_score_threshold')
    return f' at score {origin[key]:g}' if origin.get(key) is not None else ''


def cell(value: float | None) -> str:
    """Write a mean average precision."""
    return '–' if value is None else f'{value:.4f}'


def evaluation_table(result: Evaluation) -> str:
    """Write an evaluation; of a replay, what became of its topics, too."""
    lines = list(_evaluation(result))
    if isinstance(result, Replay):
        lines += [line for name, topic in result.topics.items()
                  for line in _topic(name, topic, measure(result.provenance) != 'mAP')]
    return '\n'.join(lines)


def _evaluation(result: Evaluation) -> Iterator[str]:
    name = measure(result.provenance)
    agrees = name != 'mAP'
    yield f'{"":31}{name + "@0.5":>13}' + ('' if agrees else f'{"tolerant":>10}')
    for part, one in (('all', result), *((f'  {name}', one) for name, one in (
            *result.by_speed.items(), *result.by_class.items()))):
        yield _row(part, one.ap50, *() if agrees else (one.map50_tolerant,))
    if result.map50_95 is not None:
        yield _row('all, 0.50 to 0.95 (COCO)', result.map50_95)
    streaming = result.streaming_agreement50 if agrees else result.sap50
    if streaming is not None:
        yield _row('all, streaming', streaming)
    yield from _found(result, result.provenance)
    if result.interval is not None:
        yield (f'{"agreement50" if agrees else "map50"}: '
               f'{_range(result.interval.low, result.interval.high, ".4f")}')
    if result.versus is not None:
        yield from _versus(result.versus)
    if agrees:
        yield f'agreement with {reference(result.provenance)}, not with a truth'
    annotated = result.annotated
    scored = '' if annotated in (None, result.frames) else f' ({annotated} annotated)'
    skipped = f', {len(result.skipped)} skipped' if result.skipped else ''
    yield f'{result.frames} frames{scored}, {result.clips} clips{skipped}'
    times = result.latency_ms
    if times:
        yield (f'{result.read_share:.1%} read; {result.ms_per_frame:.2f} ms a frame '
               f'(READ {_ms(times.read)}, FORECAST {_ms(times.forecast)})')


def _found(found: Found, origin: Provenance) -> Iterator[str]:
    threshold = user_threshold(origin)
    rows = (
        (f'recall{threshold}', found.recall50, 4), ('frames to find an object',
                                                   found.frames_to_find, 2),
        (f'annotated: recall{threshold}', found.annotated_recall50, 4),
        ('annotated: mean overlap', found.annotated_overlap, 4),
    )
    for name, value, digits in rows:
        if value is not None:
            yield f'{name:31}{value:13.{digits}f}'


def _versus(versus: Versus) -> Iterator[str]:
    for name, gap in (('map50', versus.map50), ('map50_tolerant', versus.map50_tolerant),
                      ('agreement50', versus.agreement50)):
        if gap is not None:
            yield (f'{name} less that of {versus.file}: {gap.difference:+.4f}, '
                   + _range(gap.low, gap.high, '+.4f'))


def _range(low: float | None, high: float | None, form: str) -> str:
    """Write a 95 % interval, or that there is none."""
    if low is None or high is None:
        return 'without an interval: that takes two clips with objects'
    return f'95 % in [{low:{form}}, {high:{form}}]'


def _row(name: str, *values: float | None) -> str:
    return f'{name:31}{cell(values[0]):>13}' + ''.join(f'{cell(v):>10}' for v in values[1:])


def _ms(times: Percentiles | None) -> str:
    return f'{times.p50:.2f} ms' if times else '–'


def _topic(name: str, topic: Topic, agrees: bool) -> Iterator[str]:
    text = f'{name}: {topic.frames} images, {topic.answered} answered'
    text += f', {topic.dropped} dropped' if topic.dropped else ''
    text += f', {topic.bad} unusable' if topic.bad else ''
    if topic.read_share is not None:
        text += f', {topic.read_share:.1%} read'
    if topic.answer_ms:
        text += f', heard after {topic.answer_ms.p50:.1f} ms (p95 {topic.answer_ms.p95:.1f} ms)'
    yield text
    yield from (f'  reset {n} times: {why}' for why, n in topic.resets.items())
    yield f'  truth: {topic.truth_topic or ("none" if agrees else "none, so no precision")}'


def sweep_table(result: Sweep, wish: str = '') -> str:
    """
    Write a sweep.

    :param wish: why the point is recommended.
    """
    return '\n'.join(_sweep(result, wish))


def _sweep(result: Sweep, wish: str) -> Iterator[str]:
    name = measure(result.provenance)
    columns = [one for one in COLUMNS if one.always or any(
        one.of(q) is not None for q in result.points)]
    yield (f'{"policy":18}{"p":>10}{"every":>7}{"read":>8}'
           + ''.join(f'{one.name.format(measure=name):>{one.width}}' for one in columns)
           + f'{"ms":>8}')
    points = result.points
    for q in sorted(points, key=lambda q: (q.policy != 'scheduler', -q.read_share)):
        p = '' if q.p is None else f'{q.p:.6g}'
        yield (f'{q.policy:18}{p:>10}{q.read_every or "":>7}{q.read_share:8.1%}'
               + ''.join(one.write(q) for one in columns) + f'{q.ms_per_frame:8.2f}')
    if any(q.recall50 is not None for q in points):
        yield f'recall, frames to find an object:{user_threshold(result.provenance)}'
    if any(q.annotated_recall50 is not None for q in points):
        yield 'ann. recall, overlap: of the annotated objects alone'
    if name != 'mAP':
        yield f'agreement with {reference(result.provenance)}, not with a truth'
    for d in result.differences:
        ends = '' if d.low is None or d.high is None else f' [{d.low:+.4f}, {d.high:+.4f}]'
        yield f'scheduler at share {d.read_share:.2f} less {d.versus}: {d.difference:+.4f}{ends}'
    if any(d.low is None for d in result.differences):
        yield 'no intervals: they take two clips with objects, or more'
    for whole, one, what in ((result.sweep_s, result.pass_s, 'seconds'),
                             (result.sweep_cpu_s, result.pass_cpu_s, 'seconds of processors')):
        if whole and one:
            yield f'{whole:.1f} {what}; one pass of evaluate: {one:.1f} ({whole / one:.2f} times)'
    if result.recommended:
        best = result.recommended
        policy = '' if best.policy == 'scheduler' else f' with policy {best.policy}'
        yield f'recommended: p = {best.p:.6g}{policy}' + (f', {wish}' if wish else '')
    else:
        yield 'recommended: none, ' + (
            'there is no truth to choose by' if all(q.ap50 is None for q in points)
            else 'no point keeps to the wish')
