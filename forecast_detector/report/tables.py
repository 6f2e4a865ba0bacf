"""Results as tables, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ..records.evaluation import Evaluation, Percentiles, Replay, Topic, Versus
from ..records.sweep import Sweep


def cell(value: float | None) -> str:
    """Write a mean average precision."""
    return '–' if value is None else f'{value:.4f}'


def evaluation_table(result: Evaluation) -> str:
    """Write an evaluation; of a replay, what became of its topics, too."""
    lines = list(_evaluation(result))
    if isinstance(result, Replay):
        lines += [line for name, topic in result.topics.items() for line in _topic(name, topic)]
    return '\n'.join(lines)


def _evaluation(result: Evaluation) -> Iterator[str]:
    yield f'{"":24}{"mAP@0.5":>9}{"tolerant":>10}'
    yield _row('all', result.map50, result.map50_tolerant)
    for name, one in (*result.by_speed.items(), *result.by_class.items()):
        yield _row(f'  {name}', one.map50, one.map50_tolerant)
    if result.map50_95 is not None:
        yield _row('all, 0.50 to 0.95 (COCO)', result.map50_95)
    if result.sap50 is not None:
        yield _row('all, streaming', result.sap50)
    if result.interval is not None:
        yield f'map50: 95 % in [{result.interval.low:.4f}, {result.interval.high:.4f}]'
    if result.versus is not None:
        yield from _versus(result.versus)
    annotated = result.annotated
    scored = '' if annotated in (None, result.frames) else f' ({annotated} annotated)'
    skipped = f', {len(result.skipped)} skipped' if result.skipped else ''
    yield f'{result.frames} frames{scored}, {result.clips} clips{skipped}'
    times = result.latency_ms
    if times:
        yield (f'{result.read_share:.1%} read; {result.ms_per_frame:.2f} ms a frame '
               f'(READ {_ms(times.read)}, FORECAST {_ms(times.forecast)})')


def _versus(versus: Versus) -> Iterator[str]:
    for name, gap in (('map50', versus.map50), ('map50_tolerant', versus.map50_tolerant)):
        if gap is not None:
            yield (f'{name} less that of {versus.file}: {gap.difference:+.4f}, '
                   f'95 % in [{gap.low:+.4f}, {gap.high:+.4f}]')


def _row(name: str, *values: float | None) -> str:
    return f'{name:24}{cell(values[0]):>9}' + ''.join(f'{cell(v):>10}' for v in values[1:])


def _ms(times: Percentiles | None) -> str:
    return f'{times.p50:.2f} ms' if times else '–'


def _topic(name: str, topic: Topic) -> Iterator[str]:
    text = f'{name}: {topic.frames} images, {topic.answered} answered'
    text += f', {topic.dropped} dropped' if topic.dropped else ''
    text += f', {topic.bad} unusable' if topic.bad else ''
    if topic.read_share is not None:
        text += f', {topic.read_share:.1%} read'
    if topic.answer_ms:
        text += f', heard after {topic.answer_ms.p50:.1f} ms (p95 {topic.answer_ms.p95:.1f} ms)'
    yield text
    yield from (f'  reset {n} times: {why}' for why, n in topic.resets.items())
    yield f'  truth: {topic.truth_topic or "none, so no precision"}'


def sweep_table(result: Sweep) -> str:
    """Write a sweep."""
    return '\n'.join(_sweep(result))


def _sweep(result: Sweep) -> Iterator[str]:
    yield f'{"policy":18}{"p":>10}{"every":>7}{"read":>8}{"mAP@0.5":>9}{"tolerant":>10}{"ms":>8}'
    points = result.points
    for q in sorted(points, key=lambda q: (q.policy != 'scheduler', -q.read_share)):
        p = '' if q.p is None else f'{q.p:.6g}'
        yield (f'{q.policy:18}{p:>10}{q.read_every or "":>7}{q.read_share:8.1%}'
               f'{cell(q.map50):>9}{cell(q.map50_tolerant):>10}{q.ms_per_frame:8.2f}')
    for d in result.differences:
        yield (f'scheduler at share {d.read_share:.2f} less {d.versus}: '
               f'{d.difference:+.4f} [{d.low:+.4f}, {d.high:+.4f}]')
    for whole, one, what in ((result.sweep_s, result.pass_s, 'seconds'),
                             (result.sweep_cpu_s, result.pass_cpu_s, 'seconds of processors')):
        if whole and one:
            yield f'{whole:.1f} {what}; one pass of evaluate: {one:.1f} ({whole / one:.2f} times)'
    if result.recommended:
        yield f'recommended: p = {result.recommended.p:.6g}'
    else:
        yield 'recommended: none, ' + (
            'there is no truth to choose by' if all(q.map50 is None for q in points)
            else 'no point keeps to the wish')
