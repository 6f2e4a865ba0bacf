"""CocoVID and video files: the right frame, the right box, and errors that say what to do."""

import json
import pickle

import cv2
import numpy as np
import pytest
from video_samples import grey, write_video

from forecast_detector.data.coco_vid import load_coco_vid
from forecast_detector.data.video import VideoClip, VideoReader
from forecast_detector.data.views import strided
from forecast_detector.types import BadFrameError


@pytest.fixture
def content():
    """Return a CocoVID file of one video of ten frames and one of two image files."""
    images = [{'id': 100 + k, 'video_id': 7, 'frame_id': k, 'file_name': 'a.mp4',
               'width': 64, 'height': 48} for k in reversed(range(10))]
    images += [{'id': 200 + k, 'video_id': 3, 'frame_id': k, 'file_name': f'b/{k}.png',
                'width': 64, 'height': 48} for k in range(2)]
    rows = [
        {'id': 1, 'image_id': 102, 'category_id': 40, 'instance_id': 5, 'bbox': [10, 8, 20, 16]},
        {'id': 2, 'image_id': 102, 'category_id': 9, 'instance_id': 6, 'bbox': [50, 40, 30, 30]},
        {'id': 3, 'image_id': 102, 'category_id': 9, 'bbox': [5, 5, 0, 10]},
        {'id': 4, 'image_id': 102, 'category_id': 9, 'bbox': [70, 5, 10, 10]},
        {'id': 5, 'image_id': 103, 'category_id': 9, 'bbox': [0, 0, 9, 9], 'iscrowd': 1},
        {'id': 6, 'image_id': 201, 'category_id': 9, 'bbox': [1, 2, 3, 4]},
    ]
    return {
        'categories': [{'id': 40, 'name': 'nut'}, {'id': 9, 'name': 'bolt'}],
        'videos': [{'id': 7, 'name': 'a', 'fps': 25}, {'id': 3, 'name': 'b'}],
        'images': images, 'annotations': rows,
    }


@pytest.fixture
def root(tmp_path, content):
    """Write the files of ``content``."""
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'val' / 'b').mkdir(parents=True)
    write_video(tmp_path / 'val' / 'a.mp4')
    for k in range(2):
        image = np.zeros((48, 64, 3), np.uint8)
        image[..., 2] = 100 + k
        cv2.imwrite(str(tmp_path / 'val' / 'b' / f'{k}.png'), image)
    save(tmp_path, content)
    return tmp_path


def save(root, content):
    """Write the annotation file."""
    (root / 'annotations' / 'val.json').write_text(json.dumps(content))


def test_video_frames_by_number_in_any_order(tmp_path):
    write_video(tmp_path / 'a.mp4')
    reader = VideoReader(tmp_path / 'a.mp4')
    assert [grey(reader.read(k)) for k in (0, 1, 5, 5, 9, 2, 3)] == [0, 1, 5, 5, 9, 2, 3]
    copy = pickle.loads(pickle.dumps(reader))
    assert grey(copy.read(4)) == 4
    assert reader.info() == (10, 25.0, (64, 48))


def test_a_frame_handed_out_is_the_readers_own_no_more(tmp_path):
    write_video(tmp_path / 'a.mp4')
    reader = VideoReader(tmp_path / 'a.mp4')
    reader.read(3)[:] = 255
    assert grey(reader.read(3)) == 3


def test_video_errors_name_file_and_frame(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone.mp4'):
        VideoReader(tmp_path / 'gone.mp4')
    write_video(tmp_path / 'a.mp4')
    reader = VideoReader(tmp_path / 'a.mp4')
    with pytest.raises(BadFrameError, match=r'a\.mp4: frame 10 asked .* after 10 frames'):
        reader.read(10)
    with pytest.raises(BadFrameError, match='frame -1'):
        reader.read(-1)
    assert grey(reader.read(2)) == 2
    (tmp_path / 'text.mp4').write_text('not a video')
    with pytest.raises(BadFrameError, match=r'text\.mp4.*convert'):
        VideoClip(tmp_path / 'text.mp4')


def test_a_bare_video_is_a_clip_without_truth(tmp_path):
    write_video(tmp_path / 'a.mp4')
    clip = VideoClip(tmp_path / 'a.mp4')
    assert (len(clip), clip.name, clip.stamp_ns(5)) == (10, 'a', 200_000_000)
    assert len(clip.truth(0)) == 0
    assert grey(clip.frame(6).load()) == 6


def test_frames_are_ordered_and_category_ids_sorted(root):
    dataset = load_coco_vid(root, 'val')
    assert dataset.labels == ('bolt', 'nut')
    assert dict(dataset.category_ids) == {0: 9, 1: 40}
    a, b = dataset.clips
    assert (a.name, len(a), b.name, len(b), len(dataset)) == ('a', 10, 'b', 2, 12)
    assert [grey(a.read(k)) for k in (0, 4, 9)] == [0, 4, 9]
    assert [a.image_id(0), a.image_id(9), b.image_id(1)] == [100, 109, 201]
    assert a.stamp_ns(3) == 120_000_000
    assert b.read(1)[0, 0].tolist() == [101, 0, 0]


def test_crowds_stand_apart_and_an_image_may_say_that_nobody_annotated_it(root, content):
    clip = load_coco_vid(root, 'val').clips[0]
    truth = clip.truth(3)
    assert (len(truth), truth.annotated) == (0, True)
    assert truth.crowd_boxes.tolist() == [[0, 0, 9, 9]]
    assert truth.crowd_labels.tolist() == [0]
    content['images'][0]['annotated'] = False
    save(root, content)
    clip = load_coco_vid(root, 'val').clips[0]
    assert [clip.truth(k).annotated for k in (8, 9)] == [True, False]


def test_boxes_are_clipped_and_those_without_area_dropped(root, caplog):
    dataset = load_coco_vid(root, 'val')
    truth = dataset.clips[0].truth(2)
    assert truth.boxes.tolist() == [[10, 8, 30, 24], [50, 40, 64, 48]]
    assert truth.labels.tolist() == [1, 0]
    assert truth.tracks.tolist() == [5, 6]
    assert dataset.dropped_boxes == 2
    assert '2 boxes without area, or outside of their image, are left out' in caplog.text
    assert len(dataset.clips[0].truth(3)) == 0
    assert dataset.clips[1].truth(1).tracks.tolist() == [-1]


def test_stride_keeps_every_third_frame_its_id_and_its_time(root):
    clip = strided(load_coco_vid(root, 'val').clips[0], 3)
    assert [clip.image_id(k) for k in range(len(clip))] == [100, 103, 106, 109]
    assert [grey(clip.read(k)) for k in range(4)] == [0, 3, 6, 9]
    assert clip.stamp_ns(1) == 120_000_000
    assert clip.fps == pytest.approx(25 / 3)
    with pytest.raises(ValueError, match='stride: 0'):
        strided(clip, 0)


def test_labels_of_the_weights_number_the_classes(root):
    dataset = load_coco_vid(root, 'val', labels=('nut', 'wire', 'bolt'))
    assert dataset.labels == ('nut', 'wire', 'bolt')
    assert dataset.clips[0].truth(2).labels.tolist() == [0, 2]
    assert dict(dataset.category_ids) == {0: 40, 2: 9}
    with pytest.raises(ValueError, match=r"val\.json.*\['nut'\] are foreign.*'bolt'"):
        load_coco_vid(root, 'val', labels=('bolt',))


def test_a_foreign_class_that_is_never_annotated_does_no_harm(root, content):
    content['categories'].append({'id': 50, 'name': 'gull'})
    save(root, content)
    assert load_coco_vid(root, 'val', labels=('bolt', 'nut')).labels == ('bolt', 'nut')


def change(content, key, index, **values):
    """Change an entry; a value of None removes it."""
    entry = content[key][index]
    entry.update(values)
    for name in [name for name, value in values.items() if value is None]:
        del entry[name]


@pytest.mark.parametrize('key, index, values, message', [
    ('images', 0, {'video_id': None}, "has no 'video_id'"),
    ('images', 0, {'video_id': 8}, "video 8, which is not in 'videos'"),
    ('images', 0, {'id': 100}, '1 image ids are there twice'),
    ('images', 0, {'frame_id': 3}, 'two images with frame_id 3'),
    ('annotations', 0, {'image_id': 999}, 'image 999'),
    ('annotations', 0, {'category_id': 2}, r'category ids \[2\]'),
    ('annotations', 0, {'bbox': [1, 2, 3]}, 'expected four'),
    ('annotations', 0, {'bbox': [1, 2, -3, 4]}, 'no size below 0'),
    ('annotations', 0, {'bbox': [1, 2, float('nan'), 4]}, 'finite'),
    ('annotations', 0, {'bbox': 'none'}, 'has bbox none; expected four'),
    ('annotations', 0, {'category_id': [2]}, 'has the category_id .2.; expected int or str'),
    ('images', 0, {'id': {}}, 'has the id {}; expected int'),
    ('annotations', 0, {'bbox': None}, "has no 'bbox'"),
    ('images', 7, {'width': 'wide'}, "has the width 'wide'; expected int or float"),
    ('images', 0, {'file_name': 7}, 'has the file_name 7; expected str'),
    ('images', 0, {'frame_id': 'a'}, "has the frame_id 'a'; expected int"),
    ('videos', 0, {'fps': 'fast'}, "has the fps 'fast'; expected int or float"),
    ('videos', 0, {'fps': -5}, 'has the fps -5.0; expected a number above 0'),
    ('annotations', 0, {'instance_id': 1.5}, 'the instance_id 1.5; expected int or str'),
    ('categories', 0, {'id': 'x'}, 'some category ids are numbers and others text'),
    ('categories', 0, {'name': 'bolt'}, r"\['bolt'\] are there twice"),
])
def test_a_broken_file_is_named_with_the_key(root, content, key, index, values, message):
    change(content, key, index, **values)
    save(root, content)
    with pytest.raises(ValueError, match=message) as caught:
        load_coco_vid(root, 'val')
    assert 'val.json' in str(caught.value)


def test_an_instance_id_of_null_is_unknown(root, content):
    content['annotations'][0]['instance_id'] = None
    save(root, content)
    tracks = [t for clip in load_coco_vid(root, 'val').clips for i in range(len(clip))
              for t in clip.truth(i).tracks]
    assert -1 in tracks


def test_missing_things_are_named(root, content):
    with pytest.raises(FileNotFoundError, match=r'train\.json'):
        load_coco_vid(root, 'train')
    clip = load_coco_vid(root, 'val').clips[1]
    (root / 'val' / 'b' / '1.png').unlink()
    with pytest.raises(BadFrameError, match=r'b/1\.png'):
        clip.read(1)
    (root / 'val' / 'a.mp4').unlink()
    with pytest.raises(FileNotFoundError, match=r'a\.mp4.*image 100'):
        load_coco_vid(root, 'val')
    content['videos'].append({'id': 1, 'name': 'empty'})
    save(root, content)
    with pytest.raises(ValueError, match=r"\['empty'\] have no images"):
        load_coco_vid(root, 'val')
    del content['images']
    save(root, content)
    with pytest.raises(ValueError, match="no list 'images'"):
        load_coco_vid(root, 'val')
    (root / 'annotations' / 'val.json').write_text('{"images": [')
    with pytest.raises(ValueError, match='not valid JSON'):
        load_coco_vid(root, 'val')


def test_still_images_are_clips_of_one_frame_each(root, content, caplog):
    content['images'] = content['images'][-2:]
    del content['videos'], content['annotations'][:5]
    for image in content['images']:
        del image['video_id'], image['frame_id']
    save(root, content)
    dataset = load_coco_vid(root, 'val')
    assert [(clip.name, len(clip), clip.image_id(0)) for clip in dataset.clips] == [
        ('0', 1, 200), ('1', 1, 201)]
    assert [int(clip.read(0)[0, 0, 0]) for clip in dataset.clips] == [100, 101]
    assert dataset.clips[1].truth(0).boxes.tolist() == [[1, 2, 4, 6]]
    said = caplog.messages[0]
    assert "no 'videos': its 2 images are read as clips of one frame each" in said


def test_images_of_videos_that_are_not_listed_are_no_stills(root, content):
    del content['videos']
    save(root, content)
    with pytest.raises(ValueError, match="images name videos, but there is no list 'videos'"):
        load_coco_vid(root, 'val')
