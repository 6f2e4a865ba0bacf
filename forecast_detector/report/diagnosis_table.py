"""A diagnosis as tables, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ..records.diagnosis import ClassMistakes, Cuts, Diagnosis, ForecastRatio, Judgement
from ..records.evaluation import Interval, measure


def diagnosis_table(result: Diagnosis) -> str:
    """Write a diagnosis."""
    lines = [line for judged in result.classifier for line in _judgement(judged)]
    lines += ['', 'forecast error over copy error', *map(_ratio, result.forecast_error)]
    if result.classes:
        lines += ['', 'objects of each class, every frame read',
                  f'  {"":22}{"objects":>8}{"right":>8}{"missed":>8}{"alarms":>8}   taken for']
    lines += [_mistakes(one) for one in result.classes]
    if result.cuts:
        count = len(result.cuts[0].frames_until_found)
        lines += ['', 'from a cut until the new object is found',
                  f'  {"":22}{"read":>7}{measure(result.provenance) + "@0.5":>15}{"recall":>9}'
                  f'{"at once":>9}{"missed":>8}   '
                  f'frames of {count} cuts, less those of read']
    return '\n'.join([*lines, *map(_cuts, result.cuts or ())])


def _judgement(judged: Judgement) -> Iterator[str]:
    yield ''
    yield 'scheduler, ' + ('every frame read' if judged.p == 1 else
                           f'steering at p = {judged.p:g}')
    yield (f'  {judged.trials} forecasts tried, {judged.read_share:.1%} of the frames '
           f'read; {judged.served:.1%} of the forecasts serve')
    yield (f'  AUROC {interval(judged.auroc)}; calibration error '
           f'{judged.calibration_error:.3f}; Brier {judged.brier:.3f}')
    yield f'  {"confidence":>12}{"forecasts":>11}{"mean":>8}{"serve":>8}'
    for one in judged.reliability:
        if one.count:
            yield (f'  {one.low:5.1f} to {one.high:3.1f}{one.count:11}'
                   f'{one.confidence:8.3f}{one.served:8.3f}')
    risks = {round(20 * r.coverage): r.risk for r in judged.risk}
    yield '  trusting the surest: ' + ', '.join(
        f'{5 * k} %: {risks[k]:.1%} fail' for k in (5, 10, 15, 20) if k in risks)


def _ratio(one: ForecastRatio) -> str:
    known = None if one.ratio is None else Interval(one.ratio, one.low, one.high)
    return f'  {one.ahead} in a row: {interval(known)}, {one.frames} frames'


def _mistakes(one: ClassMistakes) -> str:
    others = ', '.join(f'{label} {count}' for label, count in one.taken_for.items())
    return (f'  {one.label:22}{one.objects:8}{one.right:8}{one.missed:8}'
            f'{one.alarms:8}   {others}')


def _cuts(cut: Cuts) -> str:
    return (f'  {cut_name(cut):22}{cut.read_share:7.1%}{_cell(cut.ap50):>15}'
            f'{_cell(cut.recall50):>9}'
            f'{cut.at_once:9}{cut.missed:8}   '
            f'{interval(cut.mean, 1)}, {interval(cut.versus_read, 1)}')


def _cell(value: float | None) -> str:
    return '–' if value is None else f'{value:.4f}'


def cut_name(cut: Cuts) -> str:
    """Name a policy with its setting."""
    if cut.p is not None:
        return f'{cut.policy} p={cut.p:g}'
    return f'{cut.policy} 1/{cut.read_every}' if cut.read_every else cut.policy


def interval(value: Interval | None, digits: int = 3) -> str:
    """Write a value with its interval."""
    if value is None:
        return '–'
    text = f'{value.value:.{digits}f}'
    if value.low is None or value.high is None:
        return text
    return f'{text} [{value.low:.{digits}f}, {value.high:.{digits}f}]'
