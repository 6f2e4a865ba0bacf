"""Clips that are done with hold no file open, and open it again when asked."""

import os

from coco_samples import coco
import numpy as np
import pytest
from recording_samples import write_bag
from video_samples import write_video

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.data.coco_vid import load_coco_vid
from forecast_detector.data.rosbag import RosbagClip
from forecast_detector.data.views import SplicedClip, strided
from forecast_detector.evaluation import job
from forecast_detector.evaluation.job import ClipWorker, Job, OpenClip
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.types import BadFrameError


def open_files(folder):
    """List the files below a folder that this process holds open."""
    links = []
    for entry in os.scandir('/proc/self/fd'):
        try:
            links.append(os.readlink(entry.path))
        except FileNotFoundError:
            continue
    return [link for link in links if link.startswith(str(folder))]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_released_bag_is_closed_and_opens_again(tmp_path, storage):
    clip = RosbagClip(write_bag(tmp_path / 'b', storage))
    clip.release()
    before = [clip.read(k) for k in (0, 1)]
    assert open_files(tmp_path)
    clip.release()
    assert not open_files(tmp_path)
    assert all((clip.read(k) == image).all() for k, image in enumerate(before))
    assert (clip.read(5) != before[0]).any()
    clip.release()


@pytest.mark.parametrize('file', ['a.mp4', None], ids=['video', 'image files'])
def test_a_released_video_is_closed_and_opens_again(tmp_path, file):
    root = coco(tmp_path, ['a'], file=file)
    if file:
        write_video(root / 'val' / file)
    (clip,) = load_coco_vid(root, 'val').clips
    clip.release()
    before = clip.read(1)
    clip.release()
    assert not open_files(root)
    assert (clip.read(1) == before).all()
    assert bool(open_files(root)) == bool(file)
    clip.release()


def test_clips_of_clips_release_them(tmp_path):
    clips = [RosbagClip(write_bag(tmp_path / name)) for name in 'ab']
    for outer in (SplicedClip(clips), strided(SplicedClip(clips), 5)):
        for index in (0, len(outer) - 1):
            outer.read(index)
        assert len(open_files(tmp_path)) == 2
        outer.release()
        assert not open_files(tmp_path)


@pytest.mark.parametrize('good', [True, False])
def test_a_store_holds_the_files_of_one_clip_at_a_time(steered, tmp_path, good):
    clips = [RosbagClip(write_bag(tmp_path / name, frames=20)) for name in 'abc']
    seen, frame = [], RosbagClip.frame

    class Watched(RosbagClip):
        def frame(self, index):
            if not good and index == 19:
                raise BadFrameError('damaged')
            found = frame(self, index)
            seen.append(len(open_files(tmp_path)))
            return found

    for clip in clips:
        clip.__class__ = Watched
    if good:
        store = FeatureStore(steered, clips)
        assert len(seen) == 60 and np.isfinite(store.features(range(60)).cpu().numpy()).all()
    else:
        with pytest.raises(BadFrameError):
            FeatureStore(steered, clips)
    assert set(seen) == {1} and not open_files(tmp_path)


@pytest.mark.parametrize('may_fail', [True, False])
def test_a_worker_releases_its_clip_whatever_becomes_of_it(
    tmp_path, weights, monkeypatch, may_fail
):
    clip = RosbagClip(write_bag(tmp_path / 'b'))
    worker = ClipWorker(Job(load_checkpoint(weights), 'cpu'))
    monkeypatch.setattr(job, 'run_clip', lambda runner, clip, done: clip.read(0))
    assert worker(OpenClip(clip)).error is None
    assert not open_files(tmp_path)

    def fail(runner, clip, done):
        clip.read(0)
        raise BadFrameError('damaged')

    monkeypatch.setattr(job, 'run_clip', fail)
    if may_fail:
        assert worker(OpenClip(clip, may_fail=True)).error == 'damaged'
    else:
        with pytest.raises(BadFrameError):
            worker(OpenClip(clip))
    assert not open_files(tmp_path)
