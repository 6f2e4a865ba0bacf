"""Results are records: JSON keeps its keys, older files are read, mistakes are named."""

from dataclasses import dataclass, field, fields
import json
import math

import pytest
from report_samples import frame, make_run, make_sweep, picture, write

from forecast_detector import records
from forecast_detector.records.adaptation import Adaptation, AdaptedShare, AdaptedTo
from forecast_detector.records.codec import Count, from_plain, left_out, RecordError, to_plain
from forecast_detector.records.detect import DemoSummary, DetectedClip, DetectedFrame, FoundObject
from forecast_detector.records.diagnosis import Diagnosis
from forecast_detector.records.evaluation import Evaluation, Replay, Topic
from forecast_detector.records.sweep import Sweep, SweepPoint
from forecast_detector.records.trace import Picture, TracedFrame

# As files have had them since there were such files; other programs read them.
KEYS = {
    Evaluation: 'map50 map50_tolerant agreement50 by_speed by_class recall50 frames_to_find '
                'annotated_recall50 annotated_overlap map50_95 sap50 streaming_agreement50 '
                'read_share frames annotated clips skipped ms_per_frame latency_ms interval '
                'versus provenance trace',
    Topic: 'frames answered bad dropped unanswered_stamps_ns resets truth_topic read_share '
           'latency_ms answer_ms',
    Sweep: 'points unmet_shares differences recommended frames skipped latency_ms sweep_s '
           'sweep_cpu_s read_s read_cpu_s pass_s pass_cpu_s provenance',
    SweepPoint: 'policy p read_every read_share map50 map50_tolerant agreement50 recall50 '
                'frames_to_find annotated_recall50 annotated_overlap by_speed ms_per_frame',
    TracedFrame: 'stamp_ns action reason confidence latency_ms loss detections',
    DetectedClip: 'source weights sha256 policy p read_every labels read forecast skipped frames',
    DetectedFrame: 'index stamp_ns action reason confidence inference_ms detections',
    FoundObject: 'class score box id',
    DemoSummary: 'source weights p frames read forecast dropped map50 agreement50 '
    'latency_ms note',
    Adaptation: 'helps verdict judged_at recommended rows unmet_shares recordings skipped '
                'passed_over steps train_s provenance',
    AdaptedShare: 'read_share before after gain low high',
    AdaptedTo: 'name sha256 frames seconds learnt aside',
    Diagnosis: 'classifier forecast_error cuts classes frames skipped provenance',
}


@pytest.mark.parametrize('kind', KEYS, ids=lambda kind: kind.__name__)
def test_json_keeps_its_keys(kind):
    assert [one.metadata.get('key', one.name) for one in fields(kind)] == KEYS[kind].split()


def topic(**changes):
    return {
        'frames': 9, 'answered': 8, 'bad': 1, 'dropped': 0, 'unanswered_stamps_ns': [5],
        'resets': {'the bag looped': 1}, 'truth_topic': None, 'read_share': 0.5,
        'latency_ms': {'read': {'p50': 9.0, 'p95': 12.0}, 'forecast': None}, 'answer_ms': None,
        **changes,
    }


@pytest.mark.parametrize(('values', 'kind'), [
    (make_run(), Evaluation), (make_run(truth=False, trace=False), Evaluation),
    ({**make_run(), 'topics': {'/cam': topic()}}, Replay), (make_sweep(), Sweep),
])
def test_what_is_read_is_written_again(tmp_path, values, kind):
    (path,) = write(tmp_path, a=values)
    read = records.read(path)
    assert type(read) is kind
    records.write(tmp_path / 'new' / 'b.json', read)
    assert records.read(tmp_path / 'new' / 'b.json') == read
    again = json.loads((tmp_path / 'new' / 'b.json').read_text())
    assert {key: again[key] for key in values if key != 'trace'} == {
        key: value for key, value in values.items() if key != 'trace'}
    if 'trace' in values:
        for old, new in zip(values['trace']['pictures'], again['trace']['pictures'], strict=True):
            assert old == new


def test_what_older_versions_did_not_write_has_a_default(tmp_path):
    (path,) = write(tmp_path, a={
        'frames': 3, 'clips': 1, 'provenance': {'p': None, 'new': [1]}, 'later': 1,
        'by_class': {'cat': None, 'dog': {'map50': 0.5}}, 'versus': None,
    })
    read = records.read(path)
    assert (read.map50, read.skipped, read.trace, read.latency_ms) == (None, [], None, None)
    assert list(read.by_class) == ['dog'] and read.provenance == {'p': None, 'new': [1]}
    (path,) = write(tmp_path, s={'points': [
        {'policy': 'read', 'read_share': 1, 'ms_per_frame': 3}]})
    assert records.read(path).points[0].map50 is None


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError, match='JSON compliant'):
        records.write(tmp_path / 'a.json', Evaluation(frames=1, clips=1, map50=math.nan))
    assert not (tmp_path / 'a.json').exists()


def test_stdout_gets_the_record_and_nothing_else(capsys):
    records.write('-', TracedFrame(stamp_ns=3, action='READ', latency_ms=1.5))
    assert json.loads(capsys.readouterr().out)['stamp_ns'] == 3


@dataclass(frozen=True)
class Inner:
    count: Count
    pair: tuple[float, int] | None = None


@dataclass(frozen=True)
class Outer:
    inner: list[Inner]
    named: dict[str, Inner] = field(default_factory=dict)
    on: bool = False
    note: str | None = left_out()


@pytest.mark.parametrize(('values', 'message'), [
    ([], r'^x: got \[\], expected an object'),
    ({}, r'^x\.inner: got None, expected a list'),
    ({'inner': [{}]}, r'^x\.inner\[0\]\.count: got None, expected a number'),
    ({'inner': [{'count': -1}]}, r'count: got -1, expected a whole number, 0 or more'),
    ({'inner': [{'count': 1.5}]}, r'count: got 1.5, expected a whole number'),
    ({'inner': [{'count': True}]}, r'count: got True, expected a number'),
    ({'inner': [{'count': math.inf}]}, r'count: got inf, expected a finite number'),
    ({'inner': [{'count': 1, 'pair': [1]}]}, r'pair: got \[1\], expected 2 values'),
    ({'inner': [], 'named': {'a': 3}}, r'^x\.named\.a: got 3, expected an object'),
    ({'inner': [], 'on': 1}, r'^x\.on: got 1, expected true or false'),
    ({'inner': [], 'note': 1}, r'^x\.note: got 1, expected a string'),
])
def test_a_mistake_is_named_with_its_place(values, message):
    with pytest.raises(RecordError, match=message):
        from_plain(Outer, values, 'x')


def test_records_become_what_json_has():
    one = Outer([Inner(1, (2.0, 3))], {'a': Inner(2)}, True)
    plain = to_plain(one)
    assert plain == {'inner': [{'count': 1, 'pair': [2.0, 3]}],
                     'named': {'a': {'count': 2, 'pair': None}}, 'on': True}
    assert from_plain(Outer, plain, 'x') == one


def test_a_key_that_is_a_word_of_python_is_written_and_read():
    plain = to_plain(FoundObject('cat', 0.5, (1.0, 2.0, 3.0, 4.0)))
    assert plain == {'class': 'cat', 'score': 0.5, 'box': [1.0, 2.0, 3.0, 4.0], 'id': None}
    assert to_plain(from_plain(FoundObject, plain, 'x')) == plain
    with pytest.raises(RecordError, match=r'^x\.class: got None, expected a string'):
        from_plain(FoundObject, {**plain, 'class': None}, 'x')


def test_records_check_themselves():
    with pytest.raises(RecordError, match=r'^x\.jpeg: is no JPEG'):
        from_plain(Picture, {**picture('worst', 'a'), 'jpeg': 'no'}, 'x')
    with pytest.raises(RecordError, match='one of READ, FORECAST'):
        from_plain(TracedFrame, {**frame(0), 'action': ['READ']}, 'x')


def test_a_diagnosis_is_no_run_of_a_report(tmp_path):
    from forecast_detector.report.page import build_from

    (path,) = write(tmp_path, d=to_plain(Diagnosis(
        classifier=[], forecast_error=[], classes=[], frames=3)))
    assert isinstance(records.read(path), Diagnosis)
    with pytest.raises(RecordError, match=r'd\.json: is a diagnosis'):
        build_from([path])
