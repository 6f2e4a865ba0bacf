"""Detections written as COCO results and read again; COCO's own mean."""

import json

from evaluation_samples import found, there
import numpy as np
import pytest

from forecast_detector.scoring.coco import map50_95
from forecast_detector.scoring.dump import read_dump, results, write_dump
from forecast_detector.scoring.metrics import ScoredClip
from forecast_detector.types import Detections

IDS = {0: 3, 1: 7}


def test_a_result_is_corner_size_score_and_the_category_of_the_file():
    rows = results(5, found((10, 20, 30, 60, 0.5, 1)), IDS)
    assert rows == [
        {'image_id': 5, 'category_id': 7, 'bbox': [10.0, 20.0, 20.0, 40.0], 'score': 0.5}
    ]


def test_what_is_written_is_read_again_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 300, (50, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 99, (50, 2))], 1).astype(np.float32)
    scores = np.sort(rng.random(50).astype(np.float32))[::-1]
    written = Detections(boxes, scores, rng.integers(0, 2, 50))
    write_dump(tmp_path / 'd.json', results(4, written, IDS) + results(9, Detections(), IDS))
    read = read_dump(tmp_path / 'd.json', [4, 9], IDS).found
    assert set(read) == {4}
    for name in ('boxes', 'scores', 'labels'):
        assert np.array_equal(getattr(read[4], name), getattr(written, name))


def test_results_are_read_by_falling_score_and_other_images_left_out(tmp_path):
    rows = results(1, found((0, 0, 1, 1, 0.2, 0), (0, 0, 2, 2, 0.6, 0)), IDS)
    write_dump(tmp_path / 'd.json', rows + results(2, found((0, 0, 3, 3, 0.9, 0)), IDS))
    dump = read_dump(tmp_path / 'd.json', [1], IDS)
    assert (dump.results, dump.elsewhere, dump.foreign) == (3, 1, 0)
    read = dump.found
    assert list(read) == [1]
    assert read[1].scores.tolist() == pytest.approx([0.6, 0.2])


def test_a_class_name_goes_before_the_id_and_an_unknown_one_finds_nothing(tmp_path):
    rows = [*results(1, found((0, 0, 2, 2, 0.6, 0)), {0: 8}, ('nut',)),
            *results(1, found((0, 0, 3, 3, 0.5, 1)), {1: 9}, ('nut', 'wheel')),
            *results(2, found((0, 0, 3, 3, 0.5, 0)), {0: 9}, ('wheel',))]
    assert rows[0] == {'image_id': 1, 'category_id': 8, 'category_name': 'nut',
                       'bbox': [0.0, 0.0, 2.0, 2.0], 'score': pytest.approx(0.6)}
    write_dump(tmp_path / 'd.json', rows)
    dump = read_dump(tmp_path / 'd.json', [1, 2], {0: 1, 1: 2}, ('bolt', 'nut'))
    assert (dump.results, dump.elsewhere, dump.foreign) == (3, 0, 2)
    read = dump.found
    assert list(read) == [1]
    assert read[1].labels.tolist() == [1]


def test_an_empty_dump_is_no_detection(tmp_path):
    write_dump(tmp_path / 'd.json', [])
    assert read_dump(tmp_path / 'd.json', [1], IDS).found == {}


GOOD = {'image_id': 1, 'category_id': 3, 'bbox': [0, 0, 1, 1], 'score': 0.5}


@pytest.mark.parametrize(('content', 'message'), [
    ('[{', 'not JSON'),
    ('{}', 'holds a dict'),
    ('{"images": [], "annotations": []}', 'holds annotations, not results'),
    ([{**GOOD, 'bbox': [0, 0, -1, 1]}], 'no size below 0'),
    ([{**GOOD, 'score': '0.5'}], 'result 0 is'),
    ([{'image_id': 1}], 'result 0 is'),
    ([GOOD, {**GOOD, 'bbox': [0, 0, 1]}], 'result 1 has bbox'),
    ([{**GOOD, 'score': float('nan')}], 'finite score'),
    ([{**GOOD, 'category_id': 4}], r'category_id 4; the data set has \[3, 7\]'),
    ([{**GOOD, 'image_id': 12}], 'none of its 1 results'),
    ([{**GOOD, 'image_id': 1.5}], 'result 0 is'),
    ([{**GOOD, 'image_id': float('inf')}], 'result 0 is'),
    ([{**GOOD, 'category_name': ['nut']}], 'result 0 is'),
    ([7], 'result 0 is 7'),
])
def test_a_file_that_is_no_fitting_result_is_named_with_the_reason(tmp_path, content, message):
    path = tmp_path / 'd.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=message) as caught:
        read_dump(path, [1], IDS)
    assert 'd.json' in str(caught.value)


def test_coco_mean_over_thresholds():
    pytest.importorskip('pycocotools')
    truth = there((0, 0, 100, 100, 0, 0))
    perfect = ScoredClip('a', [found((0, 0, 100, 100, 0.9, 0))], [truth])
    assert map50_95([perfect], ['nut']) == pytest.approx(1.0)
    # IoU 0.72 satisfies 0.50, 0.55, 0.60, 0.65 and 0.70 of the ten thresholds.
    shifted = ScoredClip('a', [found((0, 0, 100, 72, 0.9, 0))], [truth])
    assert map50_95([shifted], ['nut']) == pytest.approx(0.5)
    nothing = ScoredClip('a', [found()], [truth])
    assert map50_95([nothing], ['nut']) == 0.0
    assert map50_95([ScoredClip('a', [found()], [there()])], ['nut']) is None


def test_a_dump_makes_its_folder(tmp_path):
    write_dump(tmp_path / 'new/folder/dump.json', [{'image_id': 1}])
    assert (tmp_path / 'new/folder/dump.json').read_text() == '[\n{"image_id": 1}\n]\n'
