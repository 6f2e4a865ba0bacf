"""The convert command writes all or nothing: clips of one name, bad frames, files in the way."""


from coco_samples import coco
import pytest
from video_samples import write_video

from forecast_detector.cli.main import main
from forecast_detector.data import convert as module
from forecast_detector.data.coco_vid import load_coco_vid
from forecast_detector.data.folders import folder_names
from forecast_detector.data.rosbag import RosbagClip
from forecast_detector.data.synthetic import load_synthetic


def convert(root, target, out, *options):
    return main(['convert', '--from', 'coco_vid', '--root', str(root), '--to', target,
                 '--out', str(out), *map(str, options)])


def files(folder):
    """List all that is below a folder's own."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*'))


NAMES = [
    (['v', 'v'], {'v_1', 'v_2'}),
    (['v', 'v', 'v_1'], {'v_1_2', 'v_2', 'v_1'}),
    (['V', 'v'], {'V', 'v_2'}),
    (['a/b', 'a_b', 'a:b'], {'a_b', 'a_b_2', 'a_b_3'}),
    (['..', '.', '', '///'], {'clip', 'clip_2', '3', 'clip_3'}),
    (['../../x', '/etc/x'], {'x', 'etc_x'}),
    (['train/ArgoVerse/c6', 'train/ArgoVerse/c7'], {'train_ArgoVerse_c6', 'train_ArgoVerse_c7'}),
    (['x_2', 'x', 'X'], {'x_2', 'x', 'X_3'}),
    (['n' * 400, 'n' * 401], {'n' * 200, 'n' * 200 + '_2'}),
    (['Flèche', 'кот'], {'Flèche', 'кот'}),
]


@pytest.mark.parametrize(('names', 'folders'), NAMES)
def test_every_video_gets_its_own_bag_below_out(tmp_path, names, folders):
    root = coco(tmp_path / 'data', names)
    before = files(tmp_path / 'data')
    assert convert(root, 'rosbag', tmp_path / 'w/out') == 0
    assert {path.name for path in (tmp_path / 'w/out').iterdir()} == folders
    assert files(tmp_path / 'data') == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ['data', 'w']
    greys = {RosbagClip(path).read(1)[0, 0, 0] for path in (tmp_path / 'w/out').iterdir()}
    assert greys == {40 * k for k in range(1, len(names) + 1)}


@pytest.mark.parametrize(('names', 'folders'), NAMES)
def test_every_video_keeps_its_own_name_as_coco_vid(tmp_path, names, folders):
    root = coco(tmp_path / 'data', names)
    assert convert(root, 'coco_vid', tmp_path / 'w/out', '--png') == 0
    clips = load_coco_vid(tmp_path / 'w/out', 'val').clips
    assert len({clip.name for clip in clips}) == len(names)
    assert [clip.read(0)[0, 0, 0] for clip in clips] == [
        40 * k for k in range(1, len(names) + 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ['data', 'w']
    assert sorted(path.name for path in (tmp_path / 'w/out').iterdir()) == ['annotations', 'val']


def test_videos_of_one_name_are_named_and_can_be_chosen(tmp_path, capsys, caplog):
    root = coco(tmp_path / 'data', ['v', 'v', 'w'])
    assert [clip.name for clip in load_coco_vid(root, 'val').clips] == ['v_1', 'v_2', 'w']
    assert "several videos are called 'v'" in caplog.text
    assert convert(root, 'rosbag', tmp_path / 'out', '--clip', 'v_2') == 0
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['v_2']


def test_a_folder_that_gets_another_name_is_named(tmp_path, capsys):
    assert convert(coco(tmp_path / 'data', ['a/b', 'a_b']), 'rosbag', tmp_path / 'out') == 0
    said = capsys.readouterr().err
    assert f'note: the clip a_b becomes {tmp_path}/out/a_b_2' in said


def test_names_of_folders_differ_by_more_than_capitals():
    clips = load_synthetic('demo', 4, 2).clips
    for clip, name in zip(clips, ('a', 'A', 'a_2', 'ß')):
        clip.name = name
    assert folder_names(clips) == ['a', 'A_3', 'a_2', 'ß']


@pytest.mark.parametrize('target', ['rosbag', 'coco_vid'])
def test_what_is_in_the_way_is_named_before_anything_is_written(tmp_path, target, capsys):
    root = coco(tmp_path / 'data', ['a', 'b', 'c'])
    out = tmp_path / 'out'
    there = out / ('c' if target == 'rosbag' else 'annotations/val.json')
    there.parent.mkdir(parents=True)
    there.write_text('mine')
    before = files(out)
    assert convert(root, target, out) == 1
    assert str(there) in capsys.readouterr().err.splitlines()[-1]
    assert files(out) == before and there.read_text() == 'mine'


@pytest.mark.parametrize('target', ['rosbag', 'coco_vid'])
def test_after_an_error_nothing_half_written_is_left(tmp_path, target, monkeypatch, capsys):
    root = coco(tmp_path / 'data', ['a', 'b'])

    def full(*_):
        raise OSError('no space left on device')
    monkeypatch.setattr(module, 'save_frame' if target == 'coco_vid' else 'write_image', full)
    assert convert(root, target, tmp_path / 'out') == 1
    assert 'no space left' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/mine.txt').write_text('mine')
    assert convert(root, target, tmp_path / 'out') == 1
    assert files(tmp_path / 'out') == ['mine.txt']


@pytest.mark.parametrize('target', ['rosbag', 'coco_vid'])
def test_a_video_shorter_than_its_annotations_is_named_once(tmp_path, target, capsys):
    root = coco(tmp_path / 'data', ['a'], frames=40, file='a.mp4')
    write_video(root / 'val/a.mp4')
    assert convert(root, target, tmp_path / 'out') == 0
    said = capsys.readouterr()
    notes = [line for line in said.err.splitlines() if 'a.mp4' in line]
    assert len(notes) == 1 and 'frame 10 asked for, but decoding ends after 10' in notes[0]
    assert 'go on to frame_id 39' in notes[0] and '10 images' in said.out


def test_one_unusable_image_costs_a_bag_that_image_only(tmp_path, capsys):
    root = coco(tmp_path / 'data', ['a', 'b'], frames=3)
    (root / 'val/1_1.png').write_bytes(b'no image')
    for k in range(3):
        (root / f'val/2_{k}.png').write_bytes(b'no image')
    assert convert(root, 'rosbag', tmp_path / 'out') == 3
    said = capsys.readouterr()
    assert '1 bags, 2 images' in said.out and 'passed over: ' in said.err and '1_1.png' in said.err
    assert 'skipped: b: none of its images can be used' in said.err
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['a']
    clip = RosbagClip(tmp_path / 'out/a')
    assert [clip.stamp_ns(k) for k in range(len(clip))] == [0, 200_000_000]


def test_a_folder_and_a_file_of_one_name_are_two_clips(tmp_path):
    root = coco(tmp_path / 'data', ['a'])
    assert convert(root, 'rosbag', tmp_path / 'bags') == 0
    bag = next((tmp_path / 'bags/a').glob('*.mcap'))
    (tmp_path / 'bags/a.mcap').write_bytes(bag.read_bytes())
    assert main(['convert', '--from', 'rosbag', '--root', str(tmp_path / 'bags'),
                 '--to', 'coco_vid', '--out', str(tmp_path / 'out')]) == 0
    assert sorted(clip.name for clip in load_coco_vid(tmp_path / 'out', 'val').clips) == [
        'a', 'a.mcap']
