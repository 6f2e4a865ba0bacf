"""The convert command: CocoVID to bags and back, and the other sources."""

import json

import cv2
import numpy as np
import pytest
from recording_samples import make_folder

from forecast_detector.bags import BagReader, BagWriter
from forecast_detector.cli.main import main
from forecast_detector.data.coco_vid import load_coco_vid
from forecast_detector.data.rosbag import RosbagClip

CATEGORIES = [{'id': 4, 'name': 'wire'}, {'id': 9, 'name': 'bolt'}, {'id': 11, 'name': 'never'}]


@pytest.fixture
def coco(tmp_path):
    """Write two clips of JPEG files: gaps in frame_id, empty and unannotated frames, a crowd."""
    images, rows = [], []
    for video_id, name in ((1, 'one'), (2, 'two')):
        for k, frame_id in enumerate((0, 1, 2, 5, 6)):
            file = f'{name}/{frame_id}.jpg'
            (tmp_path / 'coco/val' / name).mkdir(parents=True, exist_ok=True)
            picture = np.random.default_rng(k).integers(0, 255, (60, 80, 3), np.uint8)
            cv2.imwrite(str(tmp_path / 'coco/val' / file), picture)
            image_id = 10 * video_id + k
            images.append({'id': image_id, 'video_id': video_id, 'frame_id': frame_id,
                           'file_name': file, 'width': 80, 'height': 60})
            if k == 4:
                images[-1]['annotated'] = False
            elif k != 2:
                for track, category in ((7, 9), (8, 4)):
                    rows.append({'id': len(rows) + 1, 'image_id': image_id, 'iscrowd': 0,
                                 'category_id': category, 'instance_id': track,
                                 'bbox': [3.25 + k, 2.125, 20.5, 10.375 + track]})
    rows.append({'id': len(rows) + 1, 'image_id': 10, 'iscrowd': 1, 'category_id': 4,
                 'bbox': [1, 1, 50, 50]})
    (tmp_path / 'coco/annotations').mkdir()
    (tmp_path / 'coco/annotations/val.json').write_text(json.dumps({
        'categories': CATEGORIES, 'images': images, 'annotations': rows,
        'videos': [{'id': 1, 'name': 'one', 'fps': 30}, {'id': 2, 'name': 'two', 'fps': 29.97}],
    }))
    return tmp_path / 'coco'


def convert(*options):
    assert main(['convert', *map(str, options)]) == 0


def test_bags_that_cannot_be_used_are_named_and_the_rest_is_converted(tmp_path, capsys):
    make_folder(tmp_path / 'bags')
    assert main(['convert', '--from', 'rosbag', '--root', str(tmp_path / 'bags'), '--image-topic',
                 '/cam/image_raw', '--to', 'coco_vid', '--out', str(tmp_path / 'out')]) == 3
    said = capsys.readouterr()
    # Without weights any class is known: i_foreign is converted, too.
    assert '4 clips, 35 images, 3 classes' in said.out
    skipped = [line for line in said.err.splitlines() if line.startswith('skipped: ')]
    names = ('b_text.mcap', 'd_cut', 'e_empty', 'g_other', 'h_unknown')
    assert [name for name in names if any(name in line for line in skipped)] == list(names)
    assert len(skipped) == len(names)
    names = [clip.name for clip in load_coco_vid(tmp_path / 'out', 'val').clips]
    assert names == ['a_raw', 'c_jpeg', 'f_late', 'i_foreign']


@pytest.mark.parametrize('options', [
    (), ('--storage', 'sqlite3'), ('--jpeg-quality', 80), ('--image-topic', '/front/rgb'),
])
def test_coco_vid_to_bags_and_back_is_the_same(coco, tmp_path, options, capsys):
    convert('--from', 'coco_vid', '--root', coco, '--to', 'rosbag', '--out', tmp_path / 'bags',
            *options)
    assert '1 crowd regions' in capsys.readouterr().err
    convert('--from', 'rosbag', '--root', tmp_path / 'bags', '--to', 'coco_vid',
            '--out', tmp_path / 'again', '--png')
    before, after = load_coco_vid(coco, 'val'), load_coco_vid(tmp_path / 'again', 'val')
    assert after.labels == before.labels == ('wire', 'bolt', 'never')
    assert [clip.name for clip in after.clips] == ['one', 'two']
    for old, new in zip(before.clips, after.clips):
        assert len(new) == len(old) == 5
        for k in range(5):
            assert new.stamp_ns(k) == old.stamp_ns(k)
            a, b = old.truth(k), new.truth(k)
            assert b.annotated == a.annotated == (k != 4)
            assert b.boxes.tolist() == a.boxes.tolist()
            assert b.labels.tolist() == a.labels.tolist()
            assert b.tracks.tolist() == a.tracks.tolist()
            # JPEG files are carried along, whatever the quality asked for: no second loss.
            assert (new.read(k) == old.read(k)).all()


def test_compressed_images_leave_a_bag_as_the_files_they_were(coco, tmp_path):
    convert('--from', 'coco_vid', '--root', coco, '--to', 'rosbag', '--out', tmp_path / 'bags',
            '--jpeg-quality', 90, '--clip', 'two', '--start', 100)
    clip = RosbagClip(tmp_path / 'bags/two')
    assert clip.image_topic == '/camera/image_raw/compressed'
    assert (clip.truth_topic, clip.stamp_ns(0)) == ('/camera/truth', 100_000_000_000)
    convert('--from', 'rosbag', '--root', tmp_path / 'bags', '--to', 'coco_vid',
            '--out', tmp_path / 'again', '--split', 'train')
    files = sorted((tmp_path / 'again/train').rglob('*.jpg'))
    originals = [coco / 'val/two' / f'{k}.jpg' for k in (0, 1, 2, 5, 6)]
    assert [f.read_bytes() for f in files] == [f.read_bytes() for f in originals]


def test_an_unusable_image_is_named_and_passed_over(tmp_path, capsys):
    with BagWriter(tmp_path / 'b') as bag:
        bag.image('/cam/compressed', np.zeros((24, 32, 3), np.uint8), 0, jpeg_quality=90)
        bag.compressed('/cam/compressed', b'no image', 'jpeg', 100)
        bag.image('/cam/compressed', np.zeros((24, 32, 3), np.uint8), 300, jpeg_quality=90)
    convert('--from', 'rosbag', '--root', tmp_path / 'b', '--to', 'coco_vid',
            '--out', tmp_path / 'out')
    said = capsys.readouterr()
    assert 'image 1: compressed image' in said.err and '1 clips, 2 images' in said.out
    clip = load_coco_vid(tmp_path / 'out', 'val').clips[0]
    assert [clip.stamp_ns(k) for k in range(len(clip))] == [0, 300]


def test_a_clip_without_a_usable_image_is_left_out(tmp_path, capsys):
    for name, usable in (('a', False), ('b', True)):
        with BagWriter(tmp_path / 'bags' / name) as bag:
            bag.compressed('/cam/compressed', b'no image', 'jpeg', 0)
            if usable:
                bag.image('/cam/compressed', np.zeros((24, 32, 3), np.uint8), 100,
                          jpeg_quality=90)
    assert main(['convert', '--from', 'rosbag', '--root', str(tmp_path / 'bags'),
                 '--to', 'coco_vid', '--out', str(tmp_path / 'out')]) == 3
    said = capsys.readouterr()
    assert '1 clips, 1 images' in said.out
    assert f'skipped: {tmp_path}/bags/a: none of its images can be used' in said.err
    assert [clip.name for clip in load_coco_vid(tmp_path / 'out', 'val').clips] == ['b']
    assert [folder.name for folder in (tmp_path / 'out/val').iterdir()] == ['00002_b']
    assert main(['convert', '--from', 'rosbag', '--root', str(tmp_path / 'bags/a'),
                 '--to', 'coco_vid', '--out', str(tmp_path / 'none')]) == 1
    assert 'no image that can be used' in capsys.readouterr().err
    assert not (tmp_path / 'none/annotations').exists()


def test_a_bag_without_truth_becomes_frames_to_label(coco, tmp_path):
    convert('--from', 'coco_vid', '--root', coco, '--to', 'rosbag', '--out', tmp_path / 'bags',
            '--clip', 'one', '--truth-topic', '/elsewhere')
    with BagReader(tmp_path / 'bags/one') as bag:
        assert bag.count('/elsewhere') == 4  # not the frame that nobody looked at
    source = tmp_path / 'bags/one'
    assert main(['convert', '--from', 'rosbag', '--root', str(source), '--to', 'coco_vid',
                 '--truth-topic', '/nowhere', '--out', str(tmp_path / 'no')]) == 1
    convert('--from', 'rosbag', '--root', source, '--to', 'coco_vid', '--truth-topic', '',
            '--out', tmp_path / 'again')
    clip = load_coco_vid(tmp_path / 'again', 'val').clips[0]
    assert not any(clip.truth(k).annotated for k in range(5))


def test_frames_of_video_in_voc_files_become_clips_of_two_splits(tmp_path):
    root = tmp_path / 'voc'
    for folder in ('Annotations', 'JPEGImages'):
        (root / folder).mkdir(parents=True)
    for k in range(60):
        cv2.imwrite(str(root / f'JPEGImages/{k:06d}.jpg'), np.full((30, 120, 3), k, np.uint8))
        name, x = ('bolt', k % 20) if k < 20 else ('nut', k - 20 if k < 40 else k + 20)
        corners = dict(zip(('xmin', 'ymin', 'xmax', 'ymax'), (x, 2, x + 20, 22)))
        box = ''.join(f'<{key}>{value}</{key}>' for key, value in corners.items())
        (root / f'Annotations/{k:06d}.xml').write_text(
            f'<annotation><object><name>{name}</name><bndbox>{box}</bndbox></object></annotation>')
    convert('--from', 'voc_video', '--root', root, '--val-share', 0.25, '--to', 'coco_vid',
            '--out', tmp_path / 'out')
    train, val = (load_coco_vid(tmp_path / 'out', split) for split in ('train', 'val'))
    assert train.labels == val.labels == ('bolt', 'nut')
    assert [len(clip) for clip in val.clips] == [5, 5] and len(train.clips) >= 2
    assert (tmp_path / 'out/train').is_dir()


def test_stills_become_clips(tmp_path):
    (tmp_path / 'coco/annotations').mkdir(parents=True)
    (tmp_path / 'coco/val').mkdir()
    cv2.imwrite(str(tmp_path / 'coco/val/a.jpg'), np.full((30, 40, 3), 90, np.uint8))
    (tmp_path / 'coco/annotations/val.json').write_text(json.dumps({
        'categories': [{'id': 1, 'name': 'dog'}],
        'images': [{'id': 5, 'file_name': 'a.jpg', 'width': 40, 'height': 30}],
        'annotations': [{'id': 1, 'image_id': 5, 'category_id': 1, 'bbox': [5, 5, 30, 20]}],
    }))
    convert('--from', 'coco_still', '--root', tmp_path / 'coco', '--length', 4,
            '--to', 'rosbag', '--out', tmp_path / 'bags')
    clip = RosbagClip(tmp_path / 'bags/a.jpg')
    assert len(clip) == 4 and len(clip.truth(0)) == 1


@pytest.mark.parametrize(('options', 'text'), [
    (('rosbag', 'rosbag'), 'nothing to convert'),
    (('coco_vid', 'rosbag', '--clip', 'three'), "['three'] are not there"),
    (('coco_vid', 'rosbag', '--jpeg-quality', '0'), 'whole number of at least 1'),
    (('coco_vid', 'rosbag', '--jpeg-quality', '101'), 'outside [1, 100]'),
    (('coco_vid', 'rosbag', '--val-share', '0.1'), 'is for voc_video'),
    (('coco_vid', 'rosbag', '--fps', '9'), '--fps: is for voc_video'),
    (('coco_vid', 'rosbag', '--length', '9'), '--length: is for voc_still'),
    (('coco_vid', 'rosbag', '--png'), '--png: is for --to coco_vid'),
    (('coco_vid', 'rosbag', '--truth-topic', ''), "'' is no topic to write to"),
    (('coco_vid', 'coco_vid', '--truth-topic', '/t'), '--truth-topic: is for bags'),
    (('rosbag', 'coco_vid', '--storage', 'mcap'), '--storage: is for --to rosbag'),
    (('rosbag', 'coco_vid', '--start', '0'), '--start: is for --to rosbag'),
    (('voc_video', 'coco_vid', '--val-share', '1'), 'leaves one of the splits empty'),
    (('voc_video', 'coco_vid', '--val-share', '.2', '--split', 'a'), 'makes the splits'),
    (('voc_video', 'rosbag', '--split', 'a'), 'have splits'),
    (('voc_video', 'rosbag', '--fps', 'nan'), "'nan': a number of at least 0"),
    (('coco_vid', 'rosbag', '--split', 'a/b'), "'a/b' is no name"),
    (('rosbag', 'coco_vid', '--split', ''), "'' is no name"),
    (('coco_vid', 'rosbag', '--start', 'inf'), "'inf': a number of at least 0"),
])
def test_wrong_options_are_refused_with_status_2(coco, tmp_path, options, text, capsys):
    source, target, *more = options
    try:
        status = main(['convert', '--from', source, '--to', target, *more, '--root', str(coco),
                       '--out', str(tmp_path / 'out')])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert text in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / 'out').exists()
