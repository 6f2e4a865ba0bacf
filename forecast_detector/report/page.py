"""The whole page: which parts there are, what each shows, what is missing and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..records import read, RecordError
from ..records.diagnosis import Diagnosis
from ..records.evaluation import Evaluation
from ..records.sweep import Sweep
from . import bars, latency, tradeoff
from .clips import all_clips, error_parts, worst_parts
from .conditions import comparable, conditions, is_replay
from .headline import cards, heading, sentences
from .intervals import compared
from .run import lettered, Run, SPEEDS
from .svg import percent

TRADE_OFF_MISSING = (
    'The trade-off curve comes from a sweep: run it with',
    'forecast-detector sweep … --json sweep.json', 'and give its file to the report, too.',
)
TRACE_MISSING = (
    'Step times, the timeline and example frames come from a trace: measure with',
    'forecast-detector evaluate … --trace --json run.json', '(or replay).',
)
TRUTH_MISSING = (
    'Average precision, its parts by speed and class, and worst cases need annotated frames: '
    'name a truth topic with', 'replay --truth-topic', 'or use an annotated data set.',
)
ERRORS_MISSING = (
    'Heat maps of forecast errors need the detector at hand as it traces, with a second frame '
    'to forecast: measure with', 'forecast-detector evaluate … --trace', '.',
)


def build(
    results: Sequence[tuple[str, Evaluation]], sweep: Sweep | None, sweep_file: str = ''
) -> str:
    """
    Write the report of one run or several side by side, as HTML that needs nothing else.

    :param results: each with the file that it is from.
    :raises ValueError: if there is nothing to report, or too much.
    """
    if not results and sweep is None:
        raise ValueError('there is neither a run nor a sweep; name at least one JSON file')
    runs = lettered(results)
    environment = Environment(
        loader=PackageLoader('forecast_detector.report', 'templates'), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters['percent'] = percent
    return environment.get_template('report.html').render(
        title=heading(runs, sweep), sentences=sentences(runs, sweep), cards=cards(runs),
        runs=runs, sweep=sweep, conditions=conditions(runs, sweep),
        skipped=[(run, run.result.skipped) for run in runs if run.result.skipped],
        cameras=[(run, run.topics) for run in runs if run.topics],
        heard=any(topic.answer_ms for run in runs for topic in run.topics.values()),
        **_trade_off(runs, sweep), **_accuracy(runs), **_traced(runs),
        provenance=_provenance(runs, sweep, sweep_file),
    )


def build_from(paths: Sequence[str | Path]) -> str:
    """
    Read files of runs and at most one sweep, in any order, and write their report.

    :raises ValueError: for a file that is neither, or a second sweep; names it.
    """
    loaded = [(str(path), read(path)) for path in paths]
    runs = [(file, one) for file, one in loaded if isinstance(one, Evaluation)]
    sweeps = [(file, one) for file, one in loaded if isinstance(one, Sweep)]
    for file, one in loaded:
        if isinstance(one, Diagnosis):
            raise RecordError(
                f'{file}: is a diagnosis; a report shows what evaluate, replay and sweep wrote')
    if len(sweeps) > 1:
        raise ValueError(
            f'{sweeps[0][0]} and {sweeps[1][0]} are both sweeps; a report shows one'
        )
    file, sweep = sweeps[0] if sweeps else ('', None)
    return build(runs, sweep, file)


def _trade_off(runs: Sequence[Run], sweep: Sweep | None) -> dict[str, Any]:
    drawn = tradeoff.lines(sweep) if sweep else []
    scored = [run for run in runs if None not in (run.result.map50, run.result.read_share)]
    placed = comparable(scored, sweep)
    shown = bool(drawn) or len(placed) > 1
    return {
        'trade_off': {
            'charts': [tradeoff.by_share(sweep, placed), tradeoff.by_time(sweep, placed)]
            if shown else [],
            'legend': tradeoff.legend(drawn),
            'compared': compared(sweep) if sweep else [],
            'recommended': tradeoff.describe(sweep.recommended)
            if sweep and sweep.recommended and sweep.recommended.p != 1 else None,
            'placed': placed,
            'elsewhere': [run.key for run in scored if run not in placed],
            'missing': None if sweep else TRADE_OFF_MISSING,
        },
    }


def _accuracy(runs: Sequence[Run]) -> dict[str, Any]:
    fast = [run for run in runs if run.by_speed]
    classy = [run for run in runs if run.by_class]
    return {
        'by_speed': bars.by_speed(fast) if fast else None,
        'no_speed': [s for s in SPEEDS if not any(s in run.by_speed for run in fast)],
        'by_class': bars.by_class(classy) if classy else [],
        'truth_missing': TRUTH_MISSING if any(run.result.map50 is None for run in runs) else None,
    }


def _traced(runs: Sequence[Run]) -> dict[str, Any]:
    timed = [run for run in runs if latency.step_times(run)]
    end_ms = latency.longest(timed) if timed else 0.0
    low = (latency.LOW,) if len(timed) > 1 else ()
    traced = [run for run in runs if run.result.trace is not None]
    errors = error_parts(traced)
    return {
        'histograms': [(run, latency.histogram(run, end_ms, *low), latency.slower(run, end_ms),
                        'with' if is_replay(run) else 'without') for run in timed],
        'timeline': all_clips(traced),
        'errors': errors,
        'worst': worst_parts(traced),
        'trace_missing': TRACE_MISSING if len(traced) < len(runs) else None,
        'errors_missing': ERRORS_MISSING if traced and not errors else None,
    }


def _provenance(
    runs: Sequence[Run], sweep: Sweep | None, sweep_file: str
) -> list[tuple[str, list[str | None]]]:
    """Set what each file says about itself side by side."""
    sources: list[tuple[str, dict[str, Any]]] = [
        (run.file, {'frames': one.frames, 'clips': one.clips, **one.provenance})
        for run in runs for one in [run.result]
    ]
    if sweep:
        sources.append((sweep_file, sweep.provenance))
    keys = list(dict.fromkeys(key for _, origin in sources for key in origin))
    rows: list[tuple[str, list[str | None]]] = [('file', [file for file, _ in sources])]
    texts = [(key, [_text(origin.get(key)) for _, origin in sources]) for key in keys]
    # What nobody was given or asked for says nothing.
    return rows + [(key, values) for key, values in texts if {*values} - {None, 'no'}]


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, list):
        return ' × '.join(str(one) for one in value)
    if isinstance(value, dict):
        return ', '.join(f'{key} {one}' for key, one in value.items())
    return None if value is None else str(value)
