"""Every data set that can be trained on, on tiny samples; and the paper's recipe on one."""

import json

from conftest import make_tiny_network
import cv2
import numpy as np
import pytest
import torch

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.cli.main import main
from forecast_detector.data import registry
from forecast_detector.data.base import ClipDataset
from forecast_detector.data.convert import clip_to_bag, write_coco_vid
from forecast_detector.data.synthetic import load_synthetic
from forecast_detector.training import datasets
from forecast_detector.training.datasets import DATASETS, open_stills, open_training_set

DOG, ZEBRA = 'n02084071', 'n02391049'
IMAGE = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)


def save(path, xml_path, name):
    """Write an image and its Pascal VOC annotation: one object."""
    for file in (path, xml_path):
        file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), IMAGE)
    xml_path.write_text(
        '<annotation><size><width>40</width><height>30</height></size><object>'
        f'<name>{name}</name><trackid>0</trackid><bndbox><xmin>11</xmin><ymin>6</ymin>'
        '<xmax>30</xmax><ymax>25</ymax></bndbox></object></annotation>'
    )


def write_imagenet(root):
    """Write two snippets of 5 frames and two still images, with the lists of the field."""
    snippets = [f'train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_0000000{i}' for i in (0, 1)]
    stills = [f'train/ILSVRC2014_train_0000/still_{i}' for i in (0, 1)]
    for snippet in snippets:
        for k in range(5):
            save(root / f'Data/VID/{snippet}/{k:06d}.JPEG',
                 root / f'Annotations/VID/{snippet}/{k:06d}.xml', DOG)
    for still in stills:
        save(root / f'Data/DET/{still}.JPEG', root / f'Annotations/DET/{still}.xml', ZEBRA)
    lists = root / 'ImageSets'
    lists.mkdir(exist_ok=True)
    (lists / 'VID_train_15frames.txt').write_text(
        ''.join(f'{s} 1 {k} 5\n' for s in snippets for k in (0, 2, 4)))
    (lists / 'DET_train_30classes.txt').write_text(''.join(f'{s} 1\n' for s in stills))


def write_voc(root):
    """Write a Pascal VOC set of one image."""
    save(root / 'JPEGImages/a.jpg', root / 'Annotations/a.xml', 'dog')
    (root / 'ImageSets/Main').mkdir(parents=True)
    (root / 'ImageSets/Main/train.txt').write_text('a\n')


def write_coco(root):
    """Write a COCO detection set of one image."""
    (root / 'train').mkdir(parents=True)
    cv2.imwrite(str(root / 'train/a.jpg'), IMAGE)
    (root / 'annotations').mkdir()
    (root / 'annotations/instances_train.json').write_text(json.dumps({
        'categories': [{'id': 1, 'name': 'dog'}],
        'images': [{'id': 7, 'file_name': 'a.jpg', 'width': 40, 'height': 30}],
        'annotations': [{'id': 1, 'image_id': 7, 'category_id': 1, 'bbox': [10, 5, 20, 20]}],
    }))


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Write a tiny sample of everything."""
    monkeypatch.setattr(datasets, 'SYNTHETIC', (2, 4))
    world = load_synthetic('train', clips=1, length=5, size=(40, 30))
    write_imagenet(tmp_path / 'imagenet_vid')
    write_voc(tmp_path / 'voc')
    write_coco(tmp_path / 'coco')
    write_coco_vid(world, tmp_path / 'coco_vid', 'train')
    clip_to_bag(world.clips[0], world.labels, tmp_path / 'rosbag')
    return tmp_path


@pytest.mark.parametrize('name', DATASETS)
def test_every_data_set_opens_by_name(root, name):
    dataset = open_training_set(name, str(root / name), 'train')
    clip = dataset.clips[0]
    assert clip.read(1).dtype == np.uint8
    found = [label for index in range(len(clip)) for label in clip.truth(index).labels]
    assert found
    assert max(found) < len(dataset.labels)


def test_still_images_are_long_enough_for_thinned_clips(root):
    for name in ('voc', 'coco'):
        assert len(open_training_set(name, str(root / name), 'train').clips[0]) == 31


def test_stills_share_the_classes_of_the_videos(root):
    vid = open_training_set('imagenet_vid', str(root / 'imagenet_vid'), 'train')
    det = open_stills('imagenet_det', str(root / 'imagenet_vid'), vid.labels)
    assert len(det.clips) == 2
    assert det.labels == vid.labels
    assert open_stills(None, None, vid.labels) is None
    place = f'voc={root / "voc"}:train'
    assert len(open_stills(place, None, ('cat', 'dog')).clips) == 1
    with pytest.raises(ValueError, match="'dog'.*foreign"):
        open_stills(place, None, ('cat',))
    with pytest.raises(ValueError, match='NAME one of'):
        open_stills('video=/data', None, ('cat',))


def test_what_is_missing_is_named(root):
    with pytest.raises(ValueError, match='needs --root'):
        open_training_set('voc', None)
    with pytest.raises(ValueError, match="'film' is unknown"):
        open_training_set('film', str(root))
    with pytest.raises(FileNotFoundError, match=r'other\.txt'):
        open_training_set('voc', str(root / 'voc'), 'other')
    with pytest.raises(FileNotFoundError, match=r'train\.json'):
        open_training_set('coco', str(root / 'voc'))


def test_foreign_labels_are_named(root, monkeypatch):
    empty = ClipDataset(('cat',), load_synthetic('train', clips=1, length=3).clips)
    monkeypatch.setitem(registry.KINDS, 'voc', lambda place: empty)
    with pytest.raises(ValueError, match='are not those of the training'):
        open_training_set('voc', '', labels=('dog',))


def test_the_papers_recipe_runs_on_imagenet_vid_and_det(root, capsys):
    recipe = root / 'mini.yaml'
    recipe.write_text("""
name: mini
model: {preset: paper, backbone: efficientnet_lite0, feature_channels: 16, lstm_channels: 16,
        extra_channels: [16, 16, 16, 16], input_size: [64, 64], resize: stretch}
phases: [baseline, joint]
frames_in_memory: false
baseline: {epochs: 1, stills: 1.0, frames: 2, batch_size: 4}
joint: {epochs: 2, frames: 2, batch_size: 2, scheduler_from: 2}
temporal: {detach_scheduler: false}
""")
    torch.save(make_tiny_network().backbone.state_dict(), root / 'imagenet.pth')
    out = root / 'out'
    assert main([
        'train', '--config', str(recipe), '--dataset', 'imagenet_vid',
        '--root', str(root / 'imagenet_vid'), '--out', str(out), '--device', 'cpu',
        '--imagenet', str(root / 'imagenet.pth'), '--workers', '1',
    ]) == 0
    assert capsys.readouterr().out.strip() == str(out / 'mini.safetensors')
    assert load_checkpoint(out / 'mini.safetensors').config.combination == 'mean'
    baseline = load_checkpoint(out / 'mini_baseline.safetensors')
    assert baseline.config.combination == 'recurrent'
    assert len(baseline.config.labels) == 30
    log = [json.loads(line) for line in (out / 'log.jsonl').read_text().splitlines()]
    assert [values['phase'] for values in log] == ['baseline', 'joint']
