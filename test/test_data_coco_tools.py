"""CocoVID as other tools write it: their keys of tracks, ids and numbers as text, flags."""

import json

import pytest

from forecast_detector.boxes import xyxy_to_xywh
from forecast_detector.data.coco_vid import load_coco_vid
from forecast_detector.scoring.dump import read_dump, results, write_dump
from forecast_detector.types import Detections

FRAMES = 3


@pytest.fixture
def content():
    """Return one video of three frames, of which each has one box of track 5."""
    return {
        'categories': [{'id': 9, 'name': 'bolt'}, {'id': 4, 'name': 'wire'}],
        'videos': [{'id': 1, 'name': 'a', 'fps': 10}],
        'images': [{'id': 10 + k, 'video_id': 1, 'frame_id': k, 'file_name': f'{k}.jpg',
                    'width': 64, 'height': 48} for k in range(FRAMES)],
        'annotations': [{'id': k, 'image_id': 10 + k, 'category_id': 9, 'instance_id': 5,
                         'bbox': [k, 2, 20, 10]} for k in range(FRAMES)],
    }


def load(root, content):
    """Write the file, if it is not bytes already, and load the truth."""
    (root / 'annotations').mkdir(exist_ok=True)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (root / 'annotations/val.json').write_bytes(data)
    return load_coco_vid(root, 'val', needs_images=False)


def tracks(dataset):
    """List the tracks of all frames of all clips."""
    return [t for clip in dataset.clips for k in range(len(clip)) for t in clip.truth(k).tracks]


def rename(content, *values):
    """Give the annotations other fields in the place of ``instance_id``."""
    for row, value in zip(content['annotations'], values):
        del row['instance_id']
        row.update(value)


@pytest.mark.parametrize(('values', 'expected'), [
    ([{'track_id': 5}] * 3, [5, 5, 5]),
    ([{'attributes': {'track_id': 5, 'occluded': False}}] * 3, [5, 5, 5]),
    ([{'track_id': 5.0}, {'track_id': '5'}, {'track_id': 5}], [5, 5, 5]),
    ([{'instance_id': '5'}, {'instance_id': 5.0}, {'instance_id': 5}], [5, 5, 5]),
    ([{'track_id': 5}, {'instance_id': 5}, {'attributes': {'track_id': '5'}}], [5, 5, 5]),
    ([{'track_id': 'b7'}, {'track_id': 0}, {'track_id': 'b7'}], [1, 0, 1]),
    ([{'track_id': 2 ** 70}, {'track_id': 2 ** 70}, {'track_id': 3}], [0, 0, 3]),
    ([{'track_id': 2 ** 60}] * 3, [2 ** 60] * 3),
    ([{'track_id': 0}] * 3, [0, 0, 0]),
    ([{'instance_id': None, 'track_id': 5}] * 3, [5, 5, 5]),
])
def test_tracks_under_the_keys_of_other_tools(tmp_path, content, caplog, values, expected):
    rename(content, *values)
    assert tracks(load(tmp_path, content)) == expected
    assert caplog.text == ''


@pytest.mark.parametrize(('values', 'expected', 'said'), [
    ([{}] * 3, [-1, -1, -1], 'no annotation has a track (instance_id, track_id or attr'),
    ([{'attributes': []}, {'track_id': ''}, {'track_id': None}], [-1, -1, -1], 'no annotation'),
    ([{'track_id': 5}, {}, {'track_id': 5}], [5, -1, 5], '1 of 3 annotations do not have a track'),
    ([{'track_id': -7}] * 3, [-1, -1, -1], ''),
])
def test_boxes_without_a_track_are_counted(tmp_path, content, caplog, values, expected, said):
    rename(content, *values)
    assert tracks(load(tmp_path, content)) == expected
    assert said in caplog.text and len(caplog.records) <= 1


def test_crowds_need_no_track(tmp_path, content, caplog):
    rename(content, {'iscrowd': 1})
    load(tmp_path, content)
    assert caplog.text == ''


def test_two_keys_that_agree_need_no_word_and_two_that_do_not_get_one(tmp_path, content, caplog):
    for row in content['annotations']:
        row['track_id'] = 77  # another number for the same object
    assert tracks(load(tmp_path, content)) == [5, 5, 5] and caplog.text == ''
    content['annotations'][2]['track_id'] = 78
    assert tracks(load(tmp_path, content)) == [5, 5, 5]
    assert 'disagree in 1 annotations' in caplog.text and "'track_id': 78" in caplog.text
    assert 'instance_id is taken' in caplog.text and len(caplog.records) == 1


def test_what_a_second_key_has_that_is_no_track_does_no_harm(tmp_path, content, caplog):
    for row in content['annotations']:
        row.update(track_id={'of': 'another tool'}, attributes={'track_id': 1.5})
    assert tracks(load(tmp_path, content)) == [5, 5, 5] and caplog.text == ''


def test_numbers_of_objects_may_begin_again_in_each_video(tmp_path, content, caplog):
    content['videos'].append({'id': 2, 'name': 'b'})
    content['images'].append({**content['images'][0], 'id': 99, 'video_id': 2})
    content['annotations'].append(
        {**content['annotations'][0], 'id': 99, 'image_id': 99, 'track_id': 31})
    for row in content['annotations'][:3]:
        row['track_id'] = 30
    assert tracks(load(tmp_path, content)) == [5] * 4 and caplog.text == ''


@pytest.mark.parametrize('values', [{'track_id': 1.5}, {'track_id': [1]},
                                    {'attributes': {'track_id': {}}}, {'track_id': float('nan')}])
def test_a_track_that_is_none_is_named(tmp_path, content, values):
    rename(content, values)
    with pytest.raises(ValueError, match='has the track_id .*; expected int or str'):
        load(tmp_path, content)


def test_a_track_may_be_a_text_under_every_key(tmp_path, content, caplog):
    for k, row in enumerate(content['annotations']):
        row['instance_id'] = ('car_1', 'car_2', 'car_1')[k]
    first, second, third = tracks(load(tmp_path, content))
    assert first == third != second and min(first, second) >= 0 and caplog.text == ''


def test_image_ids_that_are_there_twice_are_named_for_that(tmp_path, content):
    for image in content['images']:
        image['id'] = 10
    with pytest.raises(ValueError, match='2 image ids are there twice'):
        load(tmp_path, content)


def test_the_keys_of_tao(tmp_path, content):
    content['tracks'] = [{'id': 5, 'category_id': 9, 'video_id': 1}]
    content['videos'] = [{'id': 1, 'name': 'train/YFCC100M/v_1', 'width': 64, 'height': 48}]
    for image in content['images']:
        image.update(frame_index=image.pop('frame_id') * 30 + 30, video='train/YFCC100M/v_1')
    rename(content, *[{'track_id': 5, 'video_id': 1}] * 3)
    dataset = load(tmp_path, content)
    assert tracks(dataset) == [5, 5, 5]
    assert [dataset.clips[0].stamp_ns(k) for k in range(3)] == [0, 10 ** 9, 2 * 10 ** 9]


def spell(kind):
    """Make what writes every id and number of a file in another way."""
    keys = {'id', 'image_id', 'video_id', 'category_id', 'frame_id', 'instance_id', 'width',
            'height', 'fps', 'iscrowd'}

    def one(entry):
        return {key: kind(value) if key in keys else value for key, value in entry.items()}
    return one


@pytest.mark.parametrize('kind', [float, str, lambda value: f' {value}'])
def test_ids_and_numbers_as_floats_or_text_are_the_same(tmp_path, content, kind):
    content['annotations'][0]['iscrowd'] = 0
    before = load(tmp_path, content)
    same = {key: [spell(kind)(entry) for entry in entries] for key, entries in content.items()}
    after = load(tmp_path, same)
    assert after.labels == before.labels == ('wire', 'bolt')
    a, b = before.clips[0], after.clips[0]
    assert (b.name, b.fps, len(b)) == (a.name, a.fps, len(a)) == ('a', 10.0, 3)
    assert [b.stamp_ns(k) for k in range(3)] == [a.stamp_ns(k) for k in range(3)]
    for k in range(3):
        assert b.truth(k).boxes.tolist() == a.truth(k).boxes.tolist()
        assert b.truth(k).tracks.tolist() == a.truth(k).tracks.tolist()


def test_references_and_ids_may_differ_in_kind(tmp_path, content):
    content['categories'] = [{'id': '9', 'name': 'bolt'}, {'id': '4', 'name': 'wire'}]
    content['videos'][0]['id'] = '1'
    for row in content['annotations']:
        row['image_id'] = str(row['image_id'])
    assert len(tracks(load(tmp_path, content))) == FRAMES


def test_an_unknown_category_of_another_kind_is_named(tmp_path, content):
    content['annotations'][0]['category_id'] = 'x'
    content['annotations'][1]['category_id'] = 77
    with pytest.raises(ValueError, match=r"category ids \[77, 'x'\]"):
        load(tmp_path, content)


def test_ids_that_are_huge_or_not_rising(tmp_path, content):
    content['categories'] = [{'id': 2 ** 70, 'name': 'wire'}, {'id': 9, 'name': 'bolt'}]
    for k, image in enumerate(content['images']):
        image['id'] = content['annotations'][k]['image_id'] = 2 ** 70 - k
    dataset = load(tmp_path, content)
    assert dataset.labels == ('bolt', 'wire')
    assert [dataset.clips[0].image_id(k) for k in range(3)] == [2 ** 70 - k for k in range(3)]
    assert len(tracks(dataset)) == 3


@pytest.mark.parametrize(('value', 'crowd'), [
    (0, False), (1, True), ('0', False), ('1', True), ('false', False), (True, True), ('', False),
    (None, False), (1.0, True),
])
def test_flags_in_every_spelling(tmp_path, content, value, crowd):
    content['annotations'][0]['iscrowd'] = value
    truth = load(tmp_path, content).clips[0].truth(0)
    assert (len(truth.crowd_labels), len(truth)) == (int(crowd), int(not crowd))


@pytest.mark.parametrize(('key', 'value', 'message'), [
    ('annotations', {'iscrowd': 'perhaps'}, "iscrowd 'perhaps'; expected 0 or 1"),
    ('annotations', {'iscrowd': [1]}, 'iscrowd .1.; expected 0 or 1'),
    ('images', {'width': 0}, 'the width 0; expected a number above 0'),
    ('images', {'height': -48}, 'the height -48; expected a number above 0'),
    ('images', {'width': float('nan')}, 'the width nan'),
    ('images', {'frame_id': 1.5}, 'the frame_id 1.5; expected int'),
    ('images', {'id': 1.5}, 'the id 1.5; expected int or str'),
    ('images', {'annotated': 'never'}, "the annotated 'never'"),
    ('annotations', {'bbox': None}, 'has bbox None; expected four finite numbers'),
])
def test_a_field_that_cannot_be_is_named(tmp_path, content, key, value, message):
    content[key][0].update(value)
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path, content)
    assert 'val.json' in str(caught.value)


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'utf-32'])
def test_a_byte_order_mark_is_read(tmp_path, content, encoding):
    content['categories'][0]['name'] = 'Flèche'
    data = json.dumps(content, ensure_ascii=False).encode(encoding)
    assert load(tmp_path, data).labels == ('wire', 'Flèche')


@pytest.mark.parametrize(('data', 'there', 'not_there'), [
    ('{"videos": "Flèche"}'.encode('latin-1'), 'not UTF-8', 'truncated'),
    ('{"videos": 1}'.encode('utf-16-le'), 'UTF-16', 'truncated'),
    (b'{"videos": [1, 2', 'not valid JSON .* truncated', 'UTF-8'),
    (b'{"videos": "na', 'not valid JSON .* truncated', 'UTF-8'),
    (b'', 'not valid JSON .* truncated', 'UTF-8'),
    (b'{"videos": [1,, 2]}', 'not valid JSON .* correct it there', 'truncated'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull', 'correct'),
    (b'<html>404</html>', 'not valid JSON .* web page', 'correct'),
    (b'[' * 100000, 'cannot be read as JSON', 'truncated'),
    (b'{"a": 1} {"b": 2}', 'not valid JSON .Extra data.* correct it there', 'truncated'),
])
def test_a_file_is_blamed_for_what_is_wrong_with_it(tmp_path, data, there, not_there):
    with pytest.raises(ValueError, match=there) as caught:
        load(tmp_path, data)
    assert not_there not in str(caught.value) and 'val.json' in str(caught.value)


def test_results_name_images_and_categories_by_text_too(tmp_path, content):
    for entries, key in (('images', 'id'), ('annotations', 'image_id')):
        for entry in content[entries]:
            entry[key] = f'img-{entry[key]}'
    for entries, key in (('categories', 'id'), ('annotations', 'category_id')):
        for entry in content[entries]:
            entry[key] = f'c{entry[key]}'
    dataset = load(tmp_path, content)
    clip, ids = dataset.clips[0], dataset.category_ids
    truth = clip.truth(1)
    found = Detections(truth.boxes, truth.labels.astype('float32') + 0.5, truth.labels)
    rows = results(clip.image_id(1), found, ids)
    assert rows[0]['image_id'] == 'img-11' and rows[0]['category_id'] == 'c9'
    assert rows[0]['bbox'] == xyxy_to_xywh(truth.boxes)[0].tolist()
    write_dump(tmp_path / 'd.json', rows)
    back = read_dump(tmp_path / 'd.json', [clip.image_id(k) for k in range(3)], ids).found
    assert back['img-11'].boxes.tolist() == truth.boxes.tolist()


def test_results_may_write_a_number_as_text(tmp_path):
    write_dump(tmp_path / 'd.json', [
        {'image_id': '7', 'category_id': '3', 'bbox': [0, 0, 2, 2], 'score': 1}])
    assert list(read_dump(tmp_path / 'd.json', [7], {0: 3}).found) == [7]
