"""Files that annotations name stay inside of their data set, unless that is allowed."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from forecast_detector.cli.main import main
from forecast_detector.data.coco_vid import load_coco_vid
from forecast_detector.data.imagenet_vid import load_imagenet_det, load_imagenet_vid
from forecast_detector.data.inside import ALLOWED, inside
from forecast_detector.data.still import load_still_coco, load_still_voc

OUTSIDE = ['/etc/hostname.jpg', '../secret.jpg', 'a/../../secret.jpg', './../secret.jpg', '..']
INSIDE = ['a.jpg', 'a/b.jpg', 'a/../b.jpg', './a.jpg', '..a/b.jpg', 'a..jpg']


@pytest.mark.parametrize('name', OUTSIDE)
def test_names_that_lead_out_are_refused_unless_allowed(name, monkeypatch):
    folder, source = Path('/data/val'), Path('/data/annotations/val.json')
    with pytest.raises(ValueError, match=f'val.json: names the file .*{ALLOWED}=1'):
        inside(folder, name, source)
    monkeypatch.setenv(ALLOWED, '1')
    assert inside(folder, name, source) == folder / name


@pytest.mark.parametrize('name', INSIDE)
def test_other_names_are_taken(name):
    assert inside(Path('/data'), name, Path('x.json')) == Path('/data') / name


def write_coco(root, name):
    (root / 'annotations').mkdir(parents=True)
    (root / 'val').mkdir()
    image = {'id': 1, 'video_id': 1, 'frame_id': 0, 'file_name': name, 'width': 8, 'height': 6}
    (root / 'annotations' / 'val.json').write_text(json.dumps({
        'categories': [{'id': 1, 'name': 'bolt'}], 'videos': [{'id': 1, 'name': 'v', 'fps': 5}],
        'images': [image], 'annotations': [],
    }))
    cv2.imwrite(str(root.parent / 'secret.jpg'), np.zeros((6, 8, 3), np.uint8))
    return root


@pytest.mark.parametrize('load', [load_coco_vid, load_still_coco])
def test_coco_stays_inside(tmp_path, load):
    with pytest.raises(ValueError, match='not inside of'):
        load(write_coco(tmp_path / 'set', '../../secret.jpg'), 'val')


def test_convert_copies_nothing_out(tmp_path, capsys, monkeypatch):
    root = write_coco(tmp_path / 'set', '../../secret.jpg')
    words = ['convert', '--from', 'coco_vid', '--root', str(root), '--split', 'val', '--to',
             'coco_vid', '--out', str(tmp_path / 'out')]
    assert main(words) == 1
    assert "names the file '../../secret.jpg'" in capsys.readouterr().err
    assert not list((tmp_path / 'out').rglob('*.jpg'))
    monkeypatch.setenv(ALLOWED, '1')
    assert main(words) == 0
    assert list((tmp_path / 'out').rglob('*.jpg'))


def test_lists_of_voc_and_imagenet_stay_inside(tmp_path):
    lists = tmp_path / 'ImageSets'
    (lists / 'Main').mkdir(parents=True)
    (lists / 'Main' / 'val.txt').write_text('../../secret\n')
    (lists / 'VID_val_videos.txt').write_text('../../../secret 1 1 3\n')
    (lists / 'DET_train_30classes.txt').write_text('../../secret 1\n')
    for load in (lambda: load_still_voc(tmp_path, 'val'), lambda: load_imagenet_det(tmp_path),
                 lambda: load_imagenet_vid(tmp_path, 'val')):
        with pytest.raises(ValueError, match='not inside of'):
            load()
