"""Folders of bags and clips in workers: what cannot be used is named, the rest is as ever."""

import json
import shutil
import weakref

import cv2
from evaluation_runs import run as run_clips
from evaluation_runs import write_moving
import numpy as np
import pytest
from recording_samples import flat, LABELS, make_folder, ROOT, STEP_NS, write_bag

from forecast_detector.bags import BagWriter
from forecast_detector.bags.messages import default_typestore, IMAGE, make_header
import forecast_detector.bags.reader
from forecast_detector.cli.command import parse
from forecast_detector.cli.data import SKIPPED
from forecast_detector.cli.evaluate import EvaluateCommand
from forecast_detector.evaluation.many import ray_resource

TIMES = ('ms_per_frame', 'latency_ms')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp('bags') / 'folder')


def run(out, *options):
    """Run the command on bags; returns its exit status and its JSON."""
    command = parse(EvaluateCommand, [
        '--dataset', 'rosbag', '--image-topic', '/cam/image_raw',
        '--json', str(out / 'out.json'), *map(str, options),
    ])
    return command.run(), json.loads((out / 'out.json').read_text())


def figures(result):
    """Leave out what may differ from run to run: times, and how it was run."""
    kept = {name: value for name, value in result.items() if name not in TIMES}
    about = {k: v for k, v in kept.pop('provenance').items() if k not in ('workers', 'ray')}
    return kept, about


@pytest.fixture(scope='module')
def alone(folder, weights, tmp_path_factory):
    """Status, result and dump of one process."""
    out = tmp_path_factory.mktemp('alone')
    status, result = run(out, '--weights', weights, '--device', 'cpu', '--root', folder,
                         '--p', 0.5, '--dump', out / 'dump.json')
    return status, result, out / 'dump.json'


def test_bags_that_cannot_be_used_are_named_and_the_rest_is_measured(folder, alone):
    status, result, _ = alone
    assert status == SKIPPED == 3
    reasons = {row['name'].rpartition('/')[2]: row['reason'] for row in result['skipped']}
    for name, reason in {
        'b_text.mcap': 'broken, truncated or not a bag',
        'd_cut': 'broken, truncated',
        'e_empty': 'no topic /cam/image_raw; the bag has /cam/truth',
        'g_other': 'no topic /cam/image_raw; the bag has /rear/image_raw',
        'h_unknown': 'is of type my_msgs/msg/Photo; an image topic is expected',
        'i_foreign': r"['whale'] are foreign to the weights",
    }.items():
        assert reason in reasons.pop(name)
    assert reasons == {}
    assert (result['clips'], result['frames'], result['annotated']) == (3, 34, 32)
    assert result['provenance']['image_topic'] == '/cam/image_raw'


def test_image_ids_tell_bag_and_image_so_that_skipped_ones_shift_nothing(alone):
    rows = json.loads(alone[2].read_text())
    assert {row['image_id'] // 10_000_000 for row in rows} <= {0, 2, 5}
    assert {row['category_name'] for row in rows} <= set(LABELS)


def test_scoring_again_decodes_no_image_and_needs_no_weights(folder, alone, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError('an image was decoded')

    for name in ('decode_image', 'decode_compressed'):
        monkeypatch.setattr(forecast_detector.bags.reader, name, refuse)
    # Without weights any class is known: one bag more.
    (folder / 'i_foreign').rename(tmp_path / 'i_foreign')
    try:
        status, again = run(tmp_path, '--root', folder, '--from', alone[2])
    finally:
        (tmp_path / 'i_foreign').rename(folder / 'i_foreign')
    assert status == SKIPPED
    assert (again['read_share'], again['ms_per_frame']) == (None, None)
    for name in ('map50', 'map50_tolerant', 'by_speed', 'by_class', 'map50_95', 'frames',
                 'annotated', 'clips'):
        assert again[name] == alone[1][name], name
    assert len(again['skipped']) == 5


def test_workers_give_the_figures_of_one_process(folder, weights, alone, tmp_path):
    status, result = run(tmp_path, '--weights', weights, '--device', 'cpu', '--root', folder,
                         '--p', 0.5, '--workers', 2, '--dump', tmp_path / 'dump.json')
    assert status == alone[0]
    assert figures(result) == figures(alone[1])
    assert (tmp_path / 'dump.json').read_bytes() == alone[2].read_bytes()


def test_workers_take_the_clips_of_other_data_sets(tmp_path, weights):
    root = write_moving(tmp_path)
    options = ('--weights', weights, '--device', 'cpu', '--policy', 'alternate', '--sap',
               '--latency', '150,20', '--anticipate')
    status, one_process = run_clips(root, *options)
    status_too, two = run_clips(root, *options, '--workers', 2)
    assert (status, status_too) == (0, 0)
    assert figures(two) == figures(one_process)
    (root / 'val' / '4.png').unlink()
    # A data set is measured whole or not at all.
    with pytest.raises(ValueError, match=r'4\.png: no such image file'):
        run_clips(root, *options, '--workers', 2)


def test_a_ray_cluster_gives_the_figures_of_one_process(
    folder, weights, alone, tmp_path, monkeypatch
):
    pytest.importorskip('ray')
    # Its workers find the package where this process does.
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    status, result = run(tmp_path, '--weights', weights, '--device', 'cpu', '--root', folder,
                         '--p', 0.5, '--ray', '--workers', 2, '--dump', tmp_path / 'dump.json')
    assert status == alone[0]
    assert figures(result) == figures(alone[1])
    assert (tmp_path / 'dump.json').read_bytes() == alone[2].read_bytes()


@pytest.mark.parametrize(('resources', 'device', 'expected'), [
    ({'CPU': 8.0}, 'auto', 'CPU'),
    ({'CPU': 8.0, 'GPU': 2.0}, 'auto', 'GPU'),
    ({'CPU': 8.0, 'GPU': 2.0}, 'cpu', 'CPU'),
])
def test_a_worker_on_a_cluster_takes_a_gpu_where_there_is_one(resources, device, expected):
    assert ray_resource(resources, device) == expected


def test_a_bag_with_a_bad_image_is_skipped_whole(weights, tmp_path):
    write_bag(tmp_path / 'bags' / 'a')
    with BagWriter(tmp_path / 'bags' / 'b') as bag:
        bag.image('/cam/image_raw', flat(0), 0)
        odd = default_typestore().types[IMAGE](
            make_header(STEP_NS, ''), 24, 32, 'odd8', 0, 96, np.zeros(24 * 96, np.uint8))
        bag.write('/cam/image_raw', IMAGE, odd, STEP_NS)
    status, result = run(tmp_path, '--weights', weights, '--device', 'cpu', '--policy', 'read',
                         '--root', tmp_path / 'bags')
    assert (status, result['clips']) == (3, 1)
    assert 'image 1' in result['skipped'][0]['reason']


def test_images_are_let_go_whatever_the_length_of_a_bag(weights, tmp_path, monkeypatch):
    path = write_bag(tmp_path / 'b', frames=25)
    decode, images, alive = forecast_detector.bags.reader.decode_image, [], []

    def watched(*args):
        image = decode(*args)
        images.append(weakref.ref(image))
        alive.append(sum(one() is not None for one in images))
        return image

    monkeypatch.setattr(forecast_detector.bags.reader, 'decode_image', watched)
    status, result = run(tmp_path, '--weights', weights, '--device', 'cpu', '--policy', 'read',
                         '--root', path)
    assert (status, result['frames'], len(alive)) == (0, 25, 25)
    assert max(alive) <= 2


def test_nothing_but_broken_bags_is_an_error(weights, tmp_path, capsys):
    (tmp_path / 'a.mcap').write_text('no bag')
    for options in (('--weights', weights), ('--from', tmp_path / 'd.json')):
        (tmp_path / 'd.json').write_text('[]')
        with pytest.raises(ValueError, match='none of its 1 bags can be used'):
            run(tmp_path, '--root', tmp_path, *options)
        assert 'skipped: ' in capsys.readouterr().err


def test_a_bag_without_truth_is_run_and_not_scored(weights, tmp_path, capsys):
    path = write_bag(tmp_path / 'b', truth=None)
    status, result = run(tmp_path, '--root', path, '--weights', weights, '--interval')
    assert (status, result['map50'], result['frames'], result['annotated']) == (0, None, 6, 0)
    assert result['interval'] is None
    assert 'no frame has a truth' in capsys.readouterr().err


def make_vid(folder):
    """A tiny ImageNet VID: two snippets of four frames, one object, one frame without any."""
    lines, count = [], 0
    for name in ('ILSVRC2015_val_00000000', 'ILSVRC2015_val_00000001'):
        for kind in ('Data', 'Annotations'):
            (folder / kind / 'VID' / 'val' / name).mkdir(parents=True)
        for k in range(4):
            image = np.full((48, 64, 3), 40 * k, np.uint8)
            cv2.imwrite(str(folder / 'Data' / 'VID' / 'val' / name / f'{k:06d}.JPEG'), image)
            thing = '' if k == 3 else (
                '<object><trackid>0</trackid><name>n02691156</name><bndbox>'
                f'<xmin>{5 + k}</xmin><ymin>6</ymin><xmax>{35 + k}</xmax><ymax>30</ymax>'
                '</bndbox><occluded>0</occluded><generated>0</generated></object>')
            (folder / 'Annotations' / 'VID' / 'val' / name / f'{k:06d}.xml').write_text(
                '<annotation><size><width>64</width><height>48</height></size>'
                f'{thing}</annotation>')
        lines.append(f'{name} {count + 1} 0 4')
        count += 4
    (folder / 'ImageSets').mkdir()
    (folder / 'ImageSets' / 'VID_val_videos.txt').write_text('\n'.join(lines) + '\n')
    return folder


def test_imagenet_vid_is_scored_from_end_to_end_without_its_images(tmp_path):
    root = make_vid(tmp_path)
    shutil.rmtree(root / 'Data')
    rows = [{'image_id': 1 + k, 'category_id': 1, 'bbox': [5 + k % 4, 6, 30, 24], 'score': 0.9}
            for k in range(8) if k % 4 < 3]
    rows.append({'image_id': 4, 'category_id': 1, 'bbox': [5, 6, 30, 24], 'score': 0.95})
    (tmp_path / 'd.json').write_text(json.dumps(rows))
    assert parse(EvaluateCommand, [
        '--dataset', 'imagenet_vid', '--root', str(root), '--from', str(tmp_path / 'd.json'),
        '--json', str(tmp_path / 'out.json'),
    ]).run() == 0
    result = json.loads((tmp_path / 'out.json').read_text())
    assert (result['frames'], result['annotated'], result['clips']) == (8, 8, 2)
    # Six objects found, after one false detection in the frame without any.
    assert result['map50'] == pytest.approx(6 / 7)
    assert result['map50_tolerant'] == pytest.approx(6 / 7)
    # One pixel a frame: IoU 29/31 with the next, 28/32 with the one after; the middle one is
    # slow, the others have a mean of 0.905 and are slow as well.
    assert result['by_speed']['slow']['map50'] == pytest.approx(6 / 7)
    assert result['by_speed']['fast']['map50'] is None
    assert list(result['by_class']) == ['airplane']


def test_imagenet_vid_with_weights(tmp_path):
    import torch

    from forecast_detector.checkpoint import save_checkpoint
    from forecast_detector.config import ModelConfig
    from forecast_detector.data.imagenet_vid import LABELS as CLASSES
    from forecast_detector.model.network import ForecastNetwork

    torch.manual_seed(0)
    save_checkpoint(tmp_path / 'w.safetensors', ForecastNetwork(ModelConfig(
        CLASSES, feature_channels=16, lstm_channels=16, input_size=(64, 64),
        extra_channels=(16, 16, 16, 16),
    )))
    assert parse(EvaluateCommand, [
        '--dataset', 'imagenet_vid', '--root', str(make_vid(tmp_path)),
        '--weights', str(tmp_path / 'w.safetensors'), '--policy', 'alternate',
        '--device', 'cpu', '--json', str(tmp_path / 'out.json'),
    ]).run() == 0
    result = json.loads((tmp_path / 'out.json').read_text())
    assert (result['frames'], result['read_share']) == (8, 0.5)
