"""
Detect in a video file, a folder of pictures or a bag (rosbag2, MCAP or SQLite), without ROS.

The pictures of a folder are the frames of one camera, in the order of their names, 30 a second.

Writes an annotated video, forecast frames framed in red, and the detections as JSON. Without
--video and --json both go to out/detect, named after the source.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import StreamConfig
from ..records import write
from . import common, options
from .command import option, stream_option, switch_off
from .common import DetectorOptions, JsonOptions, PolicyOptions
from .data import tell_unfinished

if TYPE_CHECKING:
    from ..annotate import UnfinishedVideoError, VideoWriter
    from ..data.base import Clip
    from ..engine import StreamingDetector
    from ..records.detect import DetectedClip, DetectedFrame

STREAM = 'detect'


@dataclass(frozen=True, kw_only=True)
class DetectCommand(JsonOptions, DetectorOptions, PolicyOptions):
    """Options of ``detect``."""

    source: str = option(
        'video or image file, folder of pictures, or folder or file of a bag', flags=())
    weights: str = option('file or shipped name', 'coco')
    topic: str | None = option('image topic of the bag; default: the only one', None)
    score_threshold: float = stream_option('score_threshold')
    no_track: bool = switch_off('track')
    video: str | None = option('annotated video (mp4) to write', None, metavar='FILE')

    def run(self) -> int:
        """Detect; frames that cannot be used are named and passed over."""
        from ..annotate import UnfinishedVideoError, VideoWriter
        from ..evaluation.detected import clip_record

        if self.video is None and self.json is None:
            stem = Path('out/detect') / Path(self.source).stem
            return replace(self, video=f'{stem}.mp4', json=f'{stem}.json').run()
        options.check_outputs(self, ('json', 'video'), [self.source])
        self.check_policy()
        config = StreamConfig(
            **self.steering(), score_threshold=self.score_threshold, track=not self.no_track)
        clip = open_clip(self.source, self.topic)
        lacks = clip.lacks
        tell_unfinished([clip])
        detector, checkpoint = self.make_detector(config)
        unfinished: UnfinishedVideoError | None = None
        try:
            with VideoWriter(self.video, clip.fps) if self.video else nullcontext() as writer:
                frames, skipped = detect(clip, detector, writer)
                if not frames:
                    raise ValueError(f'{self.source}: none of {len(clip)} frames could be used')
        except UnfinishedVideoError as error:  # what was detected is not lost with it
            unfinished = error
        skipped += getattr(clip, 'broken', 0)
        if clip.lacks != lacks:  # more was found on the way
            tell_unfinished([clip])
        config = config.suited(detector.network.moves)
        found = clip_record(self.source, self.weights, checkpoint.sha256, config, detector.labels,
                            skipped, frames)
        if self.json:
            write_beside(self.json, found, unfinished)
        if self.json != '-':
            seen = sum(len(frame.detections) for frame in frames)
            print(f'{len(frames)} frames: {found.read} READ, {found.forecast} FORECAST; '
                  f'{seen} detections; {skipped} frames passed over')
            for path in (None if unfinished else self.video, self.json):
                if path:
                    print(path)
        if unfinished:
            raise unfinished
        return 0


def write_beside(path: str, found: DetectedClip, unfinished: UnfinishedVideoError | None) -> None:
    """
    Write the JSON.

    :param unfinished: why there is no video.
    :raises OSError: if it cannot be; says that of the video, too.
    """
    try:
        write(path, found)
    except OSError as error:
        if unfinished is None:
            raise
        raise OSError(f'{unfinished}; {error}') from error


def open_clip(source: str, topic: str | None) -> Clip:
    """
    Open a video file, an image file, a folder of pictures or a bag.

    :raises FileNotFoundError: if there is none of them.
    :raises OptionError: for a topic of a video.
    """
    import cv2

    from ..bags.finding import is_bag, is_bag_folder
    from ..data.base import Truth
    from ..data.frames import PackedTruth
    from ..data.plain import PICTURE_SUFFIXES, pictures_of
    from ..data.rosbag import RosbagClip
    from ..data.video import VideoClip
    from ..data.voc_video import ImageFilesClip
    from ..types import BadFrameError

    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f'{source}: no such video, folder or bag')
    pictures = pictures_of(path) if path.is_dir() and not is_bag_folder(path) else None
    if pictures is None and is_bag(path):
        return RosbagClip(path, topic)
    if topic is not None:
        raise options.OptionError(f'{source}: it has no topics; --topic is for bags')
    if pictures is not None:
        return pictures
    is_picture = path.suffix.lower() in PICTURE_SUFFIXES
    if not (is_picture and cv2.haveImageReader(str(path))):
        try:
            return VideoClip(path)
        except BadFrameError:
            if not is_picture or not path.stat().st_size:
                raise
    return ImageFilesClip(path.stem, [path], PackedTruth.pack([Truth(annotated=False)]))


def detect(
    clip: Clip, detector: StreamingDetector, writer: VideoWriter | None
) -> tuple[list[DetectedFrame], int]:
    """
    Step a clip through the detector; draw every frame where there is a writer.

    :returns: each frame's result, and the number of frames passed over.
    """
    from ..annotate import annotate
    from ..evaluation.detected import frame_record
    from ..types import BadFrameError, StepFailure

    frames: list[DetectedFrame] = []
    skipped = common.PassedOver()
    for index in common.progress(clip.walk(), clip.expected, 'detecting'):
        frame = clip.frame(index)
        result = detector.step({STREAM: frame})[STREAM]
        if isinstance(result, StepFailure):
            skipped.say(f'frame {index} is passed over: {result.error}')
            continue
        frames.append(frame_record(index, result, detector.labels))
        if writer is not None:
            # Only to draw on: the detector may not have seen the image of a FORECAST.
            try:
                image = frame.load()
            except BadFrameError as error:
                common.say(f'frame {index} is not drawn: {error}')
                continue
            writer.write(annotate(image, result.detections, detector.labels, result.decision))
    skipped.finish()
    return frames, skipped.count
