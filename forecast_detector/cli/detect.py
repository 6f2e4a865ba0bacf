"""
Detect in a video file or a bag (rosbag2, MCAP or SQLite), without ROS.

Writes an annotated video, forecast frames framed in red, and the detections as JSON. Without
--video and --json both go to out/detect, named after the source.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
import math
from pathlib import Path
from typing import Any, TYPE_CHECKING

from ..config import StreamConfig
from ..records import write
from . import common, options
from .command import option, stream_option
from .common import DetectorOptions, JsonOptions
from .data import tell_unfinished

if TYPE_CHECKING:
    from ..annotate import VideoWriter
    from ..data.base import Clip
    from ..engine import StreamingDetector
    from ..types import StepResult

STREAM = 'detect'
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm')


@dataclass(frozen=True, kw_only=True)
class Detect(JsonOptions, DetectorOptions):
    """Options of ``detect``."""

    source: str = option('video or image file, or folder or file of a bag', flags=())
    weights: str = option('file or shipped name', 'foda')
    topic: str | None = option('image topic of the bag; default: the only one', None)
    p: float = stream_option('p')
    score_threshold: float = stream_option('score_threshold')
    max_consecutive_forecasts: int = stream_option('max_consecutive_forecasts', metavar='N')
    video: str | None = option('annotated video (mp4) to write', None, metavar='FILE')

    def run(self) -> int:
        """Detect; frames that cannot be used are named and passed over."""
        from ..annotate import VideoWriter

        if self.video is None and self.json is None:
            stem = Path('out/detect') / Path(self.source).stem
            return replace(self, video=f'{stem}.mp4', json=f'{stem}.json').run()
        options.check_outputs(self, ('json', 'video'), [self.source])
        config = StreamConfig(
            p=self.p,
            score_threshold=self.score_threshold,
            max_consecutive_forecasts=self.max_consecutive_forecasts,
        )
        clip = open_clip(self.source, self.topic)
        lacks = clip.lacks
        tell_unfinished([clip])
        detector, checkpoint = self.make_detector(config)
        with VideoWriter(self.video, clip.fps) if self.video else nullcontext() as writer:
            frames, skipped = detect(clip, detector, writer)
            if not frames:
                raise ValueError(f'{self.source}: none of {len(clip)} frames could be used')
        skipped += getattr(clip, 'broken', 0)
        if clip.lacks != lacks:  # more was found on the way
            tell_unfinished([clip])
        reads = sum(frame['action'] == 'READ' for frame in frames)
        report = {
            'source': self.source, 'weights': str(self.weights), 'sha256': checkpoint.sha256,
            'p': self.p, 'labels': list(detector.labels), 'read': reads,
            'forecast': len(frames) - reads, 'skipped': skipped, 'frames': frames,
        }
        if self.json:
            write(self.json, report)
        if self.json != '-':
            seen = sum(len(frame['detections']) for frame in frames)
            print(f'{len(frames)} frames: {reads} READ, {len(frames) - reads} FORECAST; '
                  f'{seen} detections; {skipped} frames passed over')
            for path in (self.video, self.json):
                if path:
                    print(path)
        return 0


def open_clip(source: str, topic: str | None) -> Clip:
    """
    Open a video file, an image file or a bag.

    :raises FileNotFoundError: if there is neither.
    :raises OptionError: for a topic of a video.
    """
    import cv2

    from ..bags.finding import is_bag
    from ..data.base import Truth
    from ..data.frames import PackedTruth
    from ..data.rosbag import RosbagClip
    from ..data.video import VideoClip
    from ..data.voc_video import ImageFilesClip
    from ..types import BadFrameError

    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f'{source}: no such video or bag')
    if is_bag(path):
        return RosbagClip(path, topic)
    if topic is not None:
        raise options.OptionError(f'{source}: a video has no topics; --topic is for bags')
    is_picture = path.suffix.lower() in IMAGE_SUFFIXES
    if not (is_picture and cv2.haveImageReader(str(path))):
        try:
            return VideoClip(path)
        except BadFrameError:
            if not is_picture or not path.stat().st_size:
                raise
    return ImageFilesClip(path.stem, [path], PackedTruth.pack([Truth(annotated=False)]))


def detect(
    clip: Clip, detector: StreamingDetector, writer: VideoWriter | None
) -> tuple[list[dict[str, Any]], int]:
    """
    Step a clip through the detector; draw every frame where there is a writer.

    :returns: each frame's result as plain values, and the number of frames passed over.
    """
    from ..annotate import annotate
    from ..types import BadFrameError, StepFailure

    frames: list[dict[str, Any]] = []
    skipped = common.PassedOver()
    for index in common.progress(clip.walk(), clip.expected, 'detecting'):
        frame = clip.frame(index)
        result = detector.step({STREAM: frame})[STREAM]
        if isinstance(result, StepFailure):
            skipped.say(f'frame {index} is passed over: {result.error}')
            continue
        frames.append(describe(index, result, detector.labels))
        if writer is not None:
            # Only to draw on: without a peek the detector does not see the image of a FORECAST.
            try:
                image = frame.load()
            except BadFrameError as error:
                common.say(f'frame {index} is not drawn: {error}')
                continue
            writer.write(annotate(image, result.detections, detector.labels, result.decision))
    skipped.finish()
    return frames, skipped.count


def describe(index: int, result: StepResult, labels: tuple[str, ...]) -> dict[str, Any]:
    """Turn a frame's result into plain values; boxes are xyxy in image pixels."""
    found, decision = result.detections, result.decision
    confidence = decision.confidence
    return {
        'index': index,
        'stamp_ns': result.stamp_ns,
        'action': decision.action.name,
        'reason': decision.reason.name,
        'confidence': None if math.isnan(confidence) else confidence,
        'inference_ms': decision.inference_ms,
        'detections': [
            {'class': labels[label], 'score': float(score), 'box': [float(v) for v in box]}
            for box, score, label in zip(found.boxes, found.scores, found.labels)
        ],
    }
