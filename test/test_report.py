"""The report: one file that stands alone, shows what is there, says what is missing."""

import json
import re

from markupsafe import Markup
import pytest
from report_samples import (
    frame,
    jpeg,
    make_point,
    make_run,
    make_sweep,
    make_trace,
    Page,
    picture,
    write,
)

from forecast_detector.cli.command import parse
from forecast_detector.cli.main import main
from forecast_detector.cli.sweep import SweepCommand
from forecast_detector.records import read, RecordError
from forecast_detector.records.sweep import Difference, Sweep, SweepPoint
from forecast_detector.records.trace import TracedClip, TracedFrame
from forecast_detector.report.axes import padded, Plot, Scale, ticks
from forecast_detector.report.intervals import compared
from forecast_detector.report.page import build_from
from forecast_detector.report.svg import element
from forecast_detector.report.tables import sweep_table
from forecast_detector.report.timeline import COLUMNS, columns, strip
from forecast_detector.report.tradeoff import lines


@pytest.fixture
def page(tmp_path):
    def build(**files):
        return Page(build_from(write(tmp_path, **files)))
    return build


def headings(page):
    return [name for name in (
        'Trade-off', 'By speed', 'Time of a step', 'By class', 'Timeline', 'Forecast error',
        'Worst cases', 'Provenance',
    ) if name in page.words]


def test_a_run_and_a_sweep_show_everything(page):
    shown = page(run=make_run(), sweep=make_sweep())
    assert headings(shown) == [
        'Trade-off', 'By speed', 'Time of a step', 'By class', 'Timeline', 'Forecast error',
        'Worst cases', 'Provenance']
    assert 'read 35 % of 60 frames of 3 clips' in shown.text
    assert len(shown.all('img')) == 7
    # Two trade-offs and comparisons, speeds, times, classes and forecast errors; a strip a clip.
    assert len(shown.all('svg', 'chart')) == 8
    assert len(shown.all('svg', 'strip')) == 3
    assert 'Recommended by the sweep. scheduler, p = 0.7: mAP 64.0 %, 40 % read' in shown.text
    assert not shown.all('p', 'missing')


def test_the_file_needs_nothing_else(tmp_path):
    text = build_from(write(tmp_path, run=make_run(), sweep=make_sweep()))
    shown = Page(text)
    assert not shown.all('script')
    targets = [a[key] for _, a in shown.elements for key in ('src', 'href') if key in a]
    assert targets and all(target.startswith('data:') for target in targets)
    assert '@import' not in text and 'url(' not in text
    assert shown.all('meta')[1]['name'] == 'viewport'


def test_what_cannot_be_seen_is_named(page):
    shown = page(run=make_run(), sweep=make_sweep())
    assert all(image['alt'] for image in shown.all('img'))
    for svg in shown.all('svg'):
        hidden = svg.get('aria-hidden') == 'true'
        assert hidden or (svg['role'] == 'img' and svg['aria-label'])
    assert shown.all('html')[0]['lang'] == 'en'


def test_several_runs_stand_side_by_side_with_a_letter_each(page):
    other = make_run(policy='alternate', p=None, read_every=2)
    other.update(map50=0.5, ms_per_frame=34.0)
    shown = page(one=make_run(), two=other)
    assert len(shown.all('article', 'card')) == 2
    assert 'alternate, 1 in 2' in shown.text
    assert 'Run B read 35 %, took 2.0 times as long and lost 10.0 points of mAP.' in shown.text
    assert '−10.0' in shown.text
    assert len(shown.all('g', 'run-B')) >= 5
    # Lettered points of the runs make a trade-off, even without a sweep.
    assert 'Trade-off' in shown.words and '--json sweep.json' in shown.text


@pytest.mark.parametrize(('values', 'left_out', 'named'), [
    (make_run(trace=False), ['Timeline', 'Forecast error', 'Worst cases'], '--trace'),
    (make_run(truth=False), ['By speed', 'By class', 'Worst cases'], '--truth-topic'),
    (make_run(), [], 'forecast-detector sweep'),
])
def test_what_is_missing_is_left_out_and_the_remedy_named(page, values, left_out, named):
    shown = page(run=values)
    assert not set(left_out) & set(headings(shown))
    assert named in shown.text
    assert not {'None', 'nan'} & set(shown.text.split())


def test_a_trace_without_a_detector_has_no_heat_maps(page):
    run = make_run()
    run['trace']['errors'] = []
    run['trace']['pictures'] = [p for p in run['trace']['pictures'] if p['kind'] != 'heat']
    shown = page(run=run)
    assert not shown.all('p', 'ramp') and 'Heat maps' in shown.text


def test_detections_scored_again_have_no_times(page):
    run = make_run(trace=False)
    run.update(read_share=None, ms_per_frame=None, latency_ms=None,
               provenance={'from': 'dump.json', 'dataset': 'coco_vid'})
    shown = page(run=run, sweep=make_sweep())
    assert 'detections scored again' in shown.text and '60.0' in shown.text
    assert not shown.all('div', 'share')


def test_a_sweep_alone_is_shown(page):
    shown = page(sweep=make_sweep())
    assert headings(shown) == ['Trade-off', 'Provenance']
    assert '9 settings' in shown.text


def test_intervals_say_what_is_sure(page):
    rows = page(sweep=make_sweep()).all('g', 'gap')
    assert [row['class'].split()[-1] for row in rows] == ['better', 'worse', 'open'] * 2


def test_what_was_skipped_and_what_cameras_did_is_named(page):
    run = make_run(dataset='rosbag', root='/recordings/yard', policy='read', p=None)
    run['skipped'] = [{'name': 'half.mcap', 'reason': 'is truncated'}]
    run['versus'] = {'file': 'before.json', 'map50': {
        'difference': 0.021, 'low': -0.01, 'high': 0.05}}
    run['topics'] = {'/front/image': {
        'frames': 50, 'answered': 47, 'bad': 1, 'dropped': 2, 'unanswered_stamps_ns': [5],
        'resets': {'no frame for 2 s': 3}, 'truth_topic': None, 'read_share': 0.5,
        'latency_ms': {}, 'answer_ms': {'p50': 31.2, 'p95': 48.0},
    }}
    text = page(run=run).text
    assert 'foda on yard' in text
    assert 'half.mcap is truncated' in text
    assert '/front/image 50 47 2 1 50.0 % 31.2 ms, 95 % in 48.0 ms – 3 × no frame for 2 s' in text
    assert '+2.1 points of mAP against before.json, 95 % in [−1.0, +5.0]' in text


def test_names_of_users_are_text_and_never_markup(tmp_path):
    evil = '<script>alert("1")</script> & \'"'
    run = make_run(classes=(evil, 'dog'), weights=evil, **{evil: evil})
    run['trace'] = make_trace(clips=(evil, 'b', 'c'))
    run['trace']['pictures'][0]['boxes'][0]['name'] = evil
    run['trace']['pictures'][0]['caption'] = evil
    run['trace']['clips'][0]['frames'][1]['reason'] = evil
    text = build_from(write(tmp_path, run=run, sweep={
        'points': [make_point(evil, map50=0.1), make_point(p=1.0)], 'provenance': {}}))
    assert not Page(text).all('script')
    assert '<script' not in text
    assert Page(text).text.count('alert("1")') >= 3


@pytest.mark.parametrize(('change', 'message'), [
    ({'frames': '60'}, r"run\.json\.frames: got '60', expected a number"),
    ({'map50': [1]}, r'run\.json\.map50: got \[1\]'),
    ({'by_speed': 3}, r'run\.json\.by_speed: got 3, expected an object'),
    ({'by_class': {'cat': {'map50': 'x'}}}, r"by_class\.cat\.map50: got 'x'"),
    ({'trace': {'clips': [{'name': 'a', 'frames': [{**frame(0), 'action': 'LOOK'}]}]}},
     r"trace\.clips\[0\]\.frames\[0\]\.action: got 'LOOK', expected one of READ, FORECAST"),
    ({'trace': {'clips': [], 'pictures': [picture('worst', 'a', jpeg=jpeg()[:9] + '!')]}},
     r'pictures\[0\]\.jpeg: is no JPEG in base64'),
    ({'trace': {'clips': [], 'pictures': [picture('worst', 'a', size=[3])]}}, r'size: got \[3\]'),
    ({'trace': {'clips': [], 'pictures': [], 'errors': [
        {'clip': 'a', 'policy': 'b', 'index': [1, 2], 'action': ['READ'], 'error': [0.1, 0.2]}]}},
     r'errors\[0\]\.action: got .* expected 2 words'),
])
def test_what_does_not_fit_is_named_with_its_place(tmp_path, change, message):
    (path,) = write(tmp_path, run={**make_run(trace=False), **change})
    with pytest.raises(RecordError, match=message):
        read(path)


@pytest.mark.parametrize(('text', 'message'), [
    ('{"map50": ', 'x.json: is no JSON'),
    ('\xff', 'x.json'),
    ('[1, 2]', r'got \[1, 2\], expected an object'),
    ('{"images": [], "annotations": []}', 'x.json: is neither a run .* it has images, annotat'),
    ('{"points": [{"policy": "hold"}]}', r'x.json.points\[0\].read_share: got None'),
    ('{"points": [], "provenance": NaN}', 'provenance: got nan'),
])
def test_foreign_and_broken_files_are_named(tmp_path, text, message, capsys):
    path = tmp_path / 'x.json'
    path.write_text(text, encoding='latin-1')
    with pytest.raises(RecordError, match=message):
        read(path)
    assert main(['report', str(path), '--out', str(tmp_path / 'r.html')]) == 1
    assert 'x.json' in capsys.readouterr().err
    assert not (tmp_path / 'r.html').exists()


def test_two_sweeps_and_nothing_at_all_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r'one\.json and .*two\.json are both sweeps'):
        build_from(write(tmp_path, one=make_sweep(), two=make_sweep()))
    with pytest.raises(ValueError, match='name at least one'):
        build_from([])
    run = make_run(trace=False)
    with pytest.raises(ValueError, match='7 runs'):
        build_from(write(tmp_path, **{f'r{k}': run for k in range(7)}))


def test_wrong_files_are_named_in_a_line(tmp_path, capsys):
    out = str(tmp_path / 'r.html')
    assert main(['report', str(tmp_path / 'none.json'), '--out', out]) == 1
    assert 'none.json: cannot be read (No such file or directory)' in capsys.readouterr().err
    for wrong in (['--out', out], [out, '--out', out]):
        assert main(['report', *wrong]) == 2


def test_the_command_writes_a_file(tmp_path, capsys):
    run, sweep = write(tmp_path, run=make_run(), sweep=make_sweep())
    out = tmp_path / 'new' / 'report.html'
    assert main(['report', str(run), '--sweep', str(sweep), '--out', str(out)]) == 0
    said = capsys.readouterr().out
    kilobytes = int(re.search(r': (\d+) kB$', said.strip())[1])
    assert kilobytes == round(out.stat().st_size / 1e3) > 0
    assert out.read_text().startswith('<!doctype html>')
    assert 'report.html' in said


def test_a_long_clip_is_drawn_in_few_columns(page):
    frames = [TracedFrame(stamp_ns=0, action='READ' if i % 4 == 0 else 'FORECAST',
                          confidence=0.5, latency_ms=1.0)
              for i in range(COLUMNS * 8)]
    drawn = columns(frames)
    assert len(drawn) == COLUMNS
    assert {column.forecast for column in drawn} == {0.75}
    assert (drawn[0].first, drawn[-1].last) == (0, len(frames) - 1)
    assert len(strip(TracedClip('a', frames), 0.5)) < 60_000


def test_a_strip_joins_neighbours_of_the_same_kind():
    frames = [TracedFrame(stamp_ns=0, action=action, reason='POLICY', latency_ms=1.0)
              for action in ('READ', 'FORECAST', 'FORECAST', 'READ')]
    drawn = Page(strip(TracedClip('a', frames), None))
    blocks = [(float(a['x']), float(a['width']), a['fill-opacity'])
              for a in drawn.all('rect', 'forecast')]
    assert blocks == [(0, 1, '0'), (1, 2, '1'), (3, 1, '0')]
    assert 'frames 1 to 2: FORECAST (policy)' in drawn.text


def test_lines_begin_where_every_frame_is_read(tmp_path):
    (path,) = write(tmp_path, sweep=make_sweep())
    drawn = lines(read(path))
    assert [line.policy for line in drawn] == ['scheduler', 'alternate', 'kalman', 'newcomer']
    assert [round(q.read_share, 2) for q in drawn[1].points] == [0.33, 0.5, 1.0]
    assert [q.p for q in drawn[0].points] == [0.0, 0.7, 1.0]


def test_ticks_are_round_and_inside():
    assert ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert ticks(0.31, 0.68) == pytest.approx([0.4, 0.5, 0.6])
    assert ticks(5, 5) == [5]
    low, high = padded([3.0, 3.0])
    assert low < 3 < high
    assert padded([0.1, 10.0], floor=0.0)[0] == 0.0


def test_a_plot_puts_values_where_they_belong():
    plot = Plot.over((0, 10), (0, 1))
    assert plot.y(1) < plot.y(0) and plot.x(0) < plot.x(10)
    assert Scale(2, 4, 0, 100)(3) == 50


def test_elements_escape_text_and_keep_elements():
    assert element('text', '<b>', x=1.04, font_size=3, title=None) == Markup(
        '<text x="1" font-size="3">&lt;b&gt;</text>')
    assert element('g', element('path', d='"')) == Markup('<g><path d="&#34;"/></g>')


def test_a_report_of_many_long_clips_stays_small(tmp_path):
    run = make_run()
    frames = json.loads(json.dumps([frame(i) for i in range(200)]))
    run['trace']['clips'] = [{'name': f'clip {k}', 'frames': frames} for k in range(150)]
    text = build_from(write(tmp_path, run=run))
    assert '50 more clips are in the JSON' in Page(text).text
    assert len(text) < 4_000_000


@pytest.mark.parametrize(('wish', 'is_by_reading', 'why'), [
    ([], True, 'p = 1, as reading every frame is what is compared with; say what you want'),
    ([], False, 'p = 1, the highest mAP, whatever it costs; say what you want'),
    (['--want-share', '0.25'], False, 'the highest mAP with at most 0.25 of the frames READ'),
    (['--want-ms', '20'], False, 'the highest mAP within 20 ms a frame'),
    (['--want-loss', '0.02'], False, 'the fewest READs within 0.02 less mAP than at p = 1'),
])
def test_a_recommendation_says_why(wish, is_by_reading, why):
    point = SweepPoint(policy='scheduler', p=1.0, read_share=1.0, map50=0.6, ms_per_frame=2.0)
    command = parse(SweepCommand, ['--weights', 'W', '--dataset', 'synthetic', *wish])
    words = command.wish_in_words('mAP', is_by_reading)
    assert why in sweep_table(Sweep(points=[point], recommended=point), words).splitlines()[-1]


def test_a_sweep_over_one_clip_draws_and_writes_no_interval():
    sweep = Sweep(points=[SweepPoint(policy='scheduler', p=0.5, read_share=0.5, map50=0.6,
                                     ms_per_frame=2.0)], differences=[
        Difference(read_share=0.5, p=0.5, versus=other, difference=0.01, low=None, high=None)
        for other in ('hold', 'flow')])
    text = sweep_table(sweep)
    assert 'less hold: +0.0100\n' in text and '[' not in text
    assert text.count('no intervals: they take two clips with objects') == 1
    chart, = compared(sweep)
    assert 'hold: +1.0 points' in chart and '95' not in chart and 'gap open' in chart
