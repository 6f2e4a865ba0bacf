"""ImageNet VID and DET, still images, VOC video and the converters on tiny samples."""

import json

import cv2
import numpy as np
import pytest

from forecast_detector.data.base import ClipDataset, Truth
from forecast_detector.data.coco_vid import load_coco_vid
from forecast_detector.data.convert import clip_to_bag, write_coco_vid
from forecast_detector.data.imagenet_vid import LABELS, load_imagenet_det, load_imagenet_vid
from forecast_detector.data.registry import thinned
from forecast_detector.data.rosbag import load_rosbag
from forecast_detector.data.still import load_still_coco, load_still_voc, StillClip
from forecast_detector.data.synthetic import SyntheticWorld
from forecast_detector.data.voc_video import link, load_voc_video, split_clips
from forecast_detector.types import BadFrameError

DOG, ZEBRA = 'n02084071', 'n02391049'


def save_image(path, value=100, size=(40, 30)):
    """Write a flat image; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), value, np.uint8))


def save_xml(path, *objects):
    """Write a VOC file; an object is (name, box, extra XML)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ''
    for name, box, extra in objects:
        corners = ''.join(f'<{key}>{value}</{key}>'
                          for key, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box))
        text += f'<object><name>{name}</name>{extra}<bndbox>{corners}</bndbox></object>'
    path.write_text(f'<annotation><size><width>40</width><height>30</height></size>{text}'
                    f'</annotation>')


@pytest.fixture
def imagenet(tmp_path):
    """Write two val snippets of 3 and 2 frames, a train snippet of 4, and one DET image."""
    val = {'val/ILSVRC2015_val_00000000': 3, 'val/ILSVRC2015_val_00000001': 2}
    train = {'train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000': 4}
    for snippet, length in {**val, **train}.items():
        for k in range(length):
            save_image(tmp_path / 'Data/VID' / snippet / f'{k:06d}.JPEG', 40 * k)
            save_xml(tmp_path / 'Annotations/VID' / snippet / f'{k:06d}.xml',
                     (DOG, (k, 2, 10 + k, 12), '<trackid>3</trackid>'))
    save_image(tmp_path / 'Data/DET/train/ILSVRC2013_train/n02084071/a.JPEG')
    save_xml(tmp_path / 'Annotations/DET/train/ILSVRC2013_train/n02084071/a.xml',
             (ZEBRA, (10, 10, 30, 20), ''), ('n99999999', (1, 1, 5, 5), ''))
    sets = tmp_path / 'ImageSets'
    sets.mkdir()
    (sets / 'VID_val_videos.txt').write_text(
        'val/ILSVRC2015_val_00000000 1 0 3\nval/ILSVRC2015_val_00000001 4 0 2\n')
    (sets / 'VID_train_15frames.txt').write_text(''.join(
        f'{name} 1 {k} 4\n' for name in train for k in (0, 2)))
    (sets / 'DET_train_30classes.txt').write_text('train/ILSVRC2013_train/n02084071/a 1\n')
    return tmp_path


def test_imagenet_vid_by_its_lists(imagenet):
    dataset = load_imagenet_vid(imagenet, 'val')
    assert len(LABELS) == len(set(LABELS)) == 30 and dataset.labels == LABELS
    first, second = dataset.clips
    assert [first.image_id(k) for k in range(3)] == [1, 2, 3] and second.image_id(1) == 5
    assert abs(int(first.read(2)[0, 0, 0]) - 80) < 3
    truth = first.truth(2)
    assert truth.boxes.tolist() == [[2, 2, 12, 12]] and truth.tracks.tolist() == [3]
    assert LABELS[truth.labels[0]] == 'dog'
    train = thinned(load_imagenet_vid(imagenet, 'train'), 2)
    assert len(train.clips) == 1 and len(train) == 2
    assert train.clips[0].truth(1).boxes[0, 0] == 2


def test_imagenet_errors_name_the_file(imagenet):
    with pytest.raises(ValueError, match="split 'test'"):
        load_imagenet_vid(imagenet, 'test')
    with pytest.raises(ValueError, match='30 classes'):
        load_imagenet_vid(imagenet, 'val', labels=('dog',))
    clip = load_imagenet_vid(imagenet, 'val').clips[1]
    xml = imagenet / 'Annotations/VID/val/ILSVRC2015_val_00000001/000001.xml'
    xml.write_text('<annotation><object>')
    with pytest.raises(ValueError, match=r'000001\.xml: not a Pascal VOC'):
        clip.truth(0)
    xml.unlink()
    with pytest.raises(FileNotFoundError, match=r'000001\.xml'):
        clip.truth(0)
    listing = imagenet / 'ImageSets/VID_val_videos.txt'
    listing.write_text('val/gone 1 0 3\n')
    with pytest.raises(FileNotFoundError, match='val/gone: no such snippet'):
        load_imagenet_vid(imagenet, 'val')
    listing.write_text('val/gone 1\n')
    with pytest.raises(ValueError, match="entry 1 is 'val/gone 1'"):
        load_imagenet_vid(imagenet, 'val')


@pytest.mark.parametrize(
    ('name', 'box', 'message'),
    [
        ('n99999999', (1, 2, 3, 4), r"000000\.xml: classes \['n99999999'\] are none of the 30"),
        (DOG, ('nan', 2, 3, 4), r'000000\.xml: .*box .* is not finite'),
        (DOG, (9, 2, 3, 4), r'000000\.xml: .*box .* ends before it begins'),
    ],
)
def test_annotations_that_cannot_be_are_named_and_not_taken_for_empty(
    imagenet, name, box, message
):
    save_xml(imagenet / 'Annotations/VID/val/ILSVRC2015_val_00000000/000000.xml', (name, box, ''))
    with pytest.raises(ValueError, match=message):
        load_imagenet_vid(imagenet, 'val').clips[0].truth(0)


def test_det_images_keep_the_thirty_classes_only(imagenet):
    dataset = load_imagenet_det(imagenet, length=5)
    labels = {name for k in range(5) for name in dataset.clips[0].truth(k).labels.tolist()}
    assert labels <= {LABELS.index('zebra')} and len(dataset) == 5


@pytest.mark.parametrize('seed', range(4))
def test_pseudo_motion_moves_picture_and_boxes_alike(tmp_path, seed):
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[40:80, 50:110] = 255
    cv2.imwrite(str(tmp_path / 'a.png'), picture)
    source = Truth(np.array([[50, 40, 110, 80]], np.float32), np.zeros(1, np.int64),
                   np.array([-1]))
    clip = StillClip(tmp_path / 'a.png', 6, source, seed=seed)
    boxes = []
    for k in range(6):
        white = clip.read(k)[..., 0] > 127
        rows, columns = np.nonzero(white)
        drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        truth = clip.truth(k)
        assert np.abs(truth.boxes[0] - drawn).max() <= 1
        assert truth.tracks.tolist() == [0]
        boxes.append(truth.boxes[0])
    steps = np.abs(np.diff(boxes, axis=0)).max(axis=1)
    assert 0 < steps.max() < 30 and steps[2] > steps[0]


def test_still_coco(tmp_path):
    save_image(tmp_path / 'val2017/a.jpg')
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/instances_val2017.json').write_text(json.dumps({
        'categories': [{'id': 18, 'name': 'dog'}, {'id': 3, 'name': 'car'}],
        'images': [{'id': 5, 'file_name': 'a.jpg', 'width': 40, 'height': 30}],
        'annotations': [{'id': 1, 'image_id': 5, 'category_id': 18, 'bbox': [5, 5, 30, 20]}],
    }))
    dataset = load_still_coco(tmp_path, 'val2017', length=4)
    assert dataset.labels == ('car', 'dog') and len(dataset) == 4
    assert dataset.clips[0].truth(0).labels.tolist() == [1]
    assert [dataset.clips[0].image_id(k) for k in range(4)] == [0, 1, 2, 3]
    with pytest.raises(BadFrameError, match='frame 4'):
        dataset.clips[0].read(4)


@pytest.mark.parametrize(('images', 'message'), [
    ([{'id': 5}], "has no 'file_name'"),
    ([{'id': 5, 'file_name': 7}], 'has the file_name 7; expected str'),
    ([{'id': 5, 'file_name': 'a'}, {'id': 5, 'file_name': 'b'}], 'ids are there twice'),
])
def test_still_images_that_are_not_coco_are_named(tmp_path, images, message):
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/train.json').write_text(json.dumps({
        'categories': [{'id': 18, 'name': 'dog'}], 'images': images, 'annotations': [],
    }))
    with pytest.raises(ValueError, match=message):
        load_still_coco(tmp_path, 'train')


@pytest.mark.parametrize('image_id', ['seven', -3])
def test_a_still_image_that_nobody_annotated_is_not_an_empty_one(tmp_path, image_id):
    save_image(tmp_path / 'train/a.jpg')
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/train.json').write_text(json.dumps({
        'categories': [{'id': 18, 'name': 'dog'}],
        'images': [{'id': image_id, 'file_name': 'a.jpg', 'width': 40, 'height': 30,
                    'annotated': False}],
        'annotations': [],
    }))
    (clip,) = load_still_coco(tmp_path, 'train', length=3).clips
    assert [clip.truth(k).annotated for k in range(3)] == [False] * 3


def test_still_voc_counts_pixels_from_one_and_leaves_difficult_objects_out(tmp_path):
    save_image(tmp_path / 'JPEGImages/000005.jpg')
    save_xml(tmp_path / 'Annotations/000005.xml', ('cat', (1, 1, 40, 30), ''),
             ('dog', (1, 1, 9, 9), '<difficult>1</difficult>'))
    (tmp_path / 'ImageSets/Main').mkdir(parents=True)
    (tmp_path / 'ImageSets/Main/train.txt').write_text('000005\n')
    dataset = load_still_voc(tmp_path, 'train', length=3)
    assert dataset.labels == ('cat', 'dog')
    assert dataset.clips[0].truth(1).boxes.tolist() == [[0, 0, 40, 30]]
    assert dataset.clips[0].truth(1).labels.tolist() == [0]
    with pytest.raises(ValueError, match=r"\['dog'\] are foreign"):
        load_still_voc(tmp_path, 'train', labels=('cat',))


def test_tracks_are_linked_by_overlap_within_a_class():
    before = Truth(np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32),
                   np.array([0, 0]), np.array([4, 5]))
    now = Truth(np.array([[21, 0, 31, 10], [1, 0, 11, 10], [0, 0, 10, 10]], np.float32),
                np.array([0, 0, 1]), np.array([-1, -1, -1]))
    linked, carried = link(before, now, 0.3, 6)
    assert (linked.tracks.tolist(), carried) == ([5, 4, 6], 2)


def write_voc_video(root):
    """Write frames 1 to 12 (a bolt that glides), 13 to 24 (it jumps), 30 to 41 (a nut)."""
    for k in (*range(1, 25), *range(30, 42)):
        x = k if k < 13 else 100 + k
        save_image(root / f'JPEGImages/{k:06d}.jpg', k, (160, 30))
        save_xml(root / f'Annotations/{k:06d}.xml',
                 ('nut' if k >= 30 else 'bolt', (x, 2, x + 15, 20), ''))


def test_video_in_voc_images_is_found_again_and_converted(tmp_path):
    write_voc_video(tmp_path / 'voc')
    dataset = load_voc_video(tmp_path / 'voc')
    assert dataset.labels == ('bolt', 'nut')
    assert [(c.name, len(c)) for c in dataset.clips] == [
        ('clip_000001', 12), ('clip_000013', 12), ('clip_000030', 12)]
    write_coco_vid(dataset, tmp_path / 'out', 'train')
    again = load_coco_vid(tmp_path / 'out', 'train')
    assert again.labels == dataset.labels
    assert [len(c) for c in again.clips] == [12, 12, 12]
    for k in (0, 11):
        truth = again.clips[1].truth(k)
        assert truth.boxes.tolist() == dataset.clips[1].truth(k).boxes.tolist()
        assert truth.tracks.tolist() == [0]
    copied = tmp_path / 'out/train/00001_clip_000001/000000.jpg'
    assert copied.read_bytes() == (tmp_path / 'voc/JPEGImages/000001.jpg').read_bytes()
    with pytest.raises(FileExistsError, match=r'train\.json'):
        write_coco_vid(dataset, tmp_path / 'out', 'train')


def test_splits_take_whole_clips_or_leave_a_gap(tmp_path):
    write_voc_video(tmp_path / 'voc')
    train, val = split_clips(load_voc_video(tmp_path / 'voc'), val_share=0.25, gap=2)
    # Two bolts and one nut: the longest of each is cut after 9 frames less a gap of 2.
    assert [len(c) for c in train.clips] == [12, 7, 7]
    assert [len(c) for c in val.clips] == [3, 3]
    assert not {f for c in train.clips for f in c.files} & {f for c in val.clips for f in c.files}


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_clip_to_a_bag_and_back_is_the_same(tmp_path, storage):
    world = SyntheticWorld(3, 8, size=(160, 120))
    labels = ('disc', 'square', 'triangle', 'ring', 'cross', 'bar')
    clip_to_bag(world, labels, tmp_path / 'b', storage=storage)
    bag = load_rosbag(tmp_path / 'b', labels=labels)
    write_coco_vid(bag, tmp_path / 'coco', 'val', suffix='.png')
    coco = load_coco_vid(tmp_path / 'coco', 'val', labels=labels)
    assert bag.clips[0].unmatched == 0 and bag.clips[0].fps == pytest.approx(15.0)
    for k in range(8):
        for clip in (bag.clips[0], coco.clips[0]):
            assert (clip.read(k) == world.read(k)).all()
            assert np.allclose(clip.truth(k).boxes, world.truth(k).boxes, atol=2e-3)
            assert (clip.truth(k).labels == world.truth(k).labels).all()
            assert (clip.truth(k).tracks == world.truth(k).tracks).all()
            assert clip.stamp_ns(k) == pytest.approx(world.stamp_ns(k), abs=10)


def test_an_empty_set_of_annotations_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no \.xml files'):
        load_voc_video(tmp_path)
    assert len(ClipDataset(('a',), [])) == 0
