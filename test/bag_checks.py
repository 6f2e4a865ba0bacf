"""What several test modules share: samples, and what makes them."""

from bag_samples import (
    times,
)

from forecast_detector.data.rosbag import RosbagClip


def values(clip):
    return [int(clip.read(k)[0, 0, 0]) for k in range(len(clip))]


def check(path, count=6):
    """See that every image is read, in order and at random."""
    clip = RosbagClip(path)
    assert values(clip) == [10 * k for k in range(count)]
    assert [int(clip.read(k)[0, 0, 0]) for k in (3, 0, count - 1)] == [30, 0, 10 * count - 10]
    assert [clip.stamp_ns(k) for k in range(count)] == times(count)
    return clip
