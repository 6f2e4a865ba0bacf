"""
Detect in a video file or a bag (rosbag2, MCAP or SQLite), without ROS.

Writes an annotated video, forecast frames framed in red, and the detections as JSON. Without
--video and --json both go to out/detect, named after the source.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
import math
from pathlib import Path
from typing import Any, TYPE_CHECKING

from ..config import StreamConfig
from ..records import write
from . import common, options
from .data import tell_unfinished

if TYPE_CHECKING:
    from ..annotate import VideoWriter
    from ..data.base import Clip
    from ..engine import StreamingDetector
    from ..types import StepResult

STREAM = 'detect'
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``detect``."""
    parser.add_argument('source', help='video or image file, or folder or file of a bag')
    parser.add_argument('--weights', default='foda', help='file or shipped name; default: foda')
    parser.add_argument('--topic', help='image topic of the bag; default: the only one')
    parser.add_argument(
        '--p', type=options.unit, default=StreamConfig().p,
        help='threshold of the scheduler, 1 never forecasts; default: %(default)s',
    )
    parser.add_argument(
        '--score-threshold', type=options.unit, default=StreamConfig().score_threshold,
        help='weaker detections are not given; default: %(default)s',
    )
    parser.add_argument(
        '--max-consecutive-forecasts', type=options.whole(0), default=0, metavar='N',
        help='default: %(default)s, no limit',
    )
    parser.add_argument('--video', metavar='FILE', help='annotated video (mp4) to write')
    common.add_input(parser)
    common.add_device(parser)
    common.add_json(parser)


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

    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f'{source}: no such video or bag')
    if is_bag(path):
        return RosbagClip(path, topic)
    if topic is not None:
        raise options.OptionError(f'{source}: a video has no topics; --topic is for bags')
    if path.suffix.lower() in IMAGE_SUFFIXES and cv2.haveImageReader(str(path)):
        return ImageFilesClip(path.stem, [path], PackedTruth.pack([Truth(annotated=False)]))
    return VideoClip(path)


def run(args: argparse.Namespace) -> int:
    """Run ``detect``; frames that cannot be used are named and passed over."""
    from ..annotate import VideoWriter

    if args.video is None and args.json is None:
        stem = Path('out/detect') / Path(args.source).stem
        args.video, args.json = f'{stem}.mp4', f'{stem}.json'
    options.check_outputs(args, ('json', 'video'), [args.source])
    config = StreamConfig(
        p=args.p,
        score_threshold=args.score_threshold,
        max_consecutive_forecasts=args.max_consecutive_forecasts,
    )
    clip = open_clip(args.source, args.topic)
    tell_unfinished([clip])
    detector, checkpoint = common.make_detector(args, config)
    with VideoWriter(args.video, clip.fps) if args.video else nullcontext() as writer:
        frames, skipped = detect(clip, detector, writer)
        if not frames:
            raise ValueError(f'{args.source}: none of {len(clip)} frames could be used')
    skipped += getattr(clip, 'broken', 0)
    tell_unfinished([clip])
    reads = sum(frame['action'] == 'READ' for frame in frames)
    report = {
        'source': args.source, 'weights': str(args.weights), 'sha256': checkpoint.sha256,
        'p': args.p, 'labels': list(detector.labels), 'read': reads,
        'forecast': len(frames) - reads, 'skipped': skipped, 'frames': frames,
    }
    if args.json:
        write(args.json, report)
    if args.json != '-':
        seen = sum(len(frame['detections']) for frame in frames)
        print(f'{len(frames)} frames: {reads} READ, {len(frames) - reads} FORECAST; '
              f'{seen} detections; {skipped} frames passed over')
        for path in (args.video, args.json):
            if path:
                print(path)
    return 0


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
            # Only to draw on: the detector itself never sees the image of a forecast.
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
