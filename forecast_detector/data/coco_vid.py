"""CocoVID: videos, frames and tracks in one JSON file; frames as images or in video files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .base import Clip, ClipDataset, Truth
from .coco_fields import Entry, matching, side_of, value_of
from .coco_json import by_id, ImageTruths, number_categories, read_annotations
from .frames import PackedTruth
from .image_files import read_encoded, read_image, Size, stated_size
from .inside import inside
from .video import VideoEndError, VideoReader

_logger = logging.getLogger(__name__)
VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg', '.ts',
                  '.mjpeg', '.mjpg', '.h264', '.264', '.h265', '.hevc', '.wmv', '.flv', '.3gp',
                  '.m2ts', '.mts')


@dataclass(frozen=True)
class CocoVidDataset(ClipDataset):
    """
    Clips of a CocoVID file.

    :ivar category_ids: label index to category id of the file, for results in COCO form;
        a label that the file does not know is not in it.
    :ivar dropped_boxes: boxes left out of the truth: without area, or outside their image.
    """

    category_ids: Mapping[int, int | str] = field(default_factory=dict)
    dropped_boxes: int = 0


class CocoVidClip(Clip):
    """One video of a CocoVID file."""

    def __init__(
        self, name: str, fps: float, files: Sequence[Path], frame_ids: Sequence[int],
        image_ids: Sequence[int], truth: PackedTruth,
        stamps_ns: Sequence[int] | None = None, sizes: Sequence[Size | None] | None = None,
        video_size: tuple[int, int] | None = None,
    ) -> None:
        """
        Take the frames, in order.

        :param fps: frames per second of the whole video.
        :param files: of each frame: its image, or the video that has it.
        :param frame_ids: of each frame: its number in the video, from which its stamp follows.
        :param stamps_ns: of each frame, where they do not follow from its number.
        :param sizes: (width, height) that the annotations give each image file, where they do;
            ``video_size``: that they give the frames of a video file.
        """
        self._stamps_ns, self._sizes, self._video_size = stamps_ns, sizes, video_size
        self.name, self.fps = name, fps
        self._files, self._frame_ids, self._image_ids = files, frame_ids, image_ids
        self._truth = truth
        self._video: VideoReader | None = None

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._frame_ids)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a frame: an image file, or a frame of a video file."""
        path, size = self._files[index], self._sizes[index] if self._sizes else None
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            return read_image(path, size)
        return self._read_video(path, self._frame_ids[index])

    def _read_video(self, path: Path, frame_id: int) -> NDArray[np.uint8]:
        if self._video is None or self._video.path != path:
            video = VideoReader(path)
            if self._video_size is not None:
                video.fit(self._video_size)
            self._video = video
        try:
            return self._video.read(frame_id)
        except VideoEndError as error:
            first, last = min(self._frame_ids), max(self._frame_ids)
            hint = (f'frame_id seems to count from {first} there, and has to count from 0'
                    if first == 1 and last == error.count else
                    'the file is shorter than its annotations, or another one')
            raise VideoEndError(f'{error}; its annotations go on to frame_id {last}: {hint}',
                                path, error.count) from error

    def encoded(self, index: int) -> tuple[str, bytes] | None:
        """Return a frame's image file as it is; frames of a video have none."""
        path = self._files[index]
        return None if path.suffix.lower() in VIDEO_SUFFIXES else read_encoded(path)

    def truth(self, index: int) -> Truth:
        """Return a frame's objects, clipped to the image."""
        return self._truth[index]

    def image_id(self, index: int) -> int:
        """Return the ``id`` of the image in the file."""
        return self._image_ids[index]

    def stamp_ns(self, index: int) -> int:
        """Return the stamp, or the time since the first frame; gaps in ``frame_id`` show."""
        if self._stamps_ns is not None:
            return self._stamps_ns[index]
        return round((self._frame_ids[index] - self._frame_ids[0]) * 1e9 / self.fps)

    def release(self) -> None:
        """Close the video file, where there is one."""
        if self._video is not None:
            self._video.close()


def _fps(video: Entry, path: Path) -> float:
    """Read the frames per second of a video; 30 where it does not say."""
    if not video.get('fps'):
        return 30.0
    fps = float(value_of(video, 'fps', 'video', path))
    if not 0 < fps < float('inf'):
        raise ValueError(f'{path}: video {video!r:.200} has the fps {fps}; expected a number '
                         'above 0; correct it')
    return fps


def _frames_by_video(
    content: dict[str, list[Entry]], path: Path
) -> list[tuple[Entry, list[Entry]]]:
    videos = by_id(content['videos'], 'video', path)
    by_id(content['images'], 'image', path)
    frames: dict[int | str, dict[int, Entry]] = {i: {} for i in videos}
    for image in content['images']:
        video_id = matching(value_of(image, 'video_id', 'image', path), videos)
        # TAO's name for it.
        key = 'frame_index' if 'frame_id' not in image and 'frame_index' in image else 'frame_id'
        frame_id = image['frame_id'] = value_of(image, key, 'image', path)
        if video_id not in frames:
            raise ValueError(
                f'{path}: image {image["id"]} names video {video_id}, which is not in '
                f"'videos'; add it"
            )
        if frame_id in frames[video_id]:
            raise ValueError(
                f'{path}: video {video_id} has two images with frame_id {frame_id}; number '
                f'the frames of a video distinctly'
            )
        frames[video_id][frame_id] = image
    empty = [videos[i].get('name', i) for i, table in frames.items() if not table]
    if empty:
        raise ValueError(f"{path}: videos {empty} have no images; remove them from 'videos'")
    return [(videos[i], [table[k] for k in sorted(table)]) for i, table in frames.items()]


def _make_stills(content: dict[str, list[Entry]], path: Path) -> None:
    """
    Make every image of a file without videos a video of one frame.

    :raises ValueError: if images name videos; those are missing then.
    """
    images = content['images']
    if any(image.get('video_id') is not None for image in images):
        raise ValueError(f"{path}: its images name videos, but there is no list 'videos'; add it")
    content['videos'] = []
    for number, image in enumerate(images):
        name = str(value_of(image, 'file_name', 'image', path))
        content['videos'].append({'id': number, 'name': Path(name).stem})
        image.update(video_id=number, frame_id=0)
    _logger.warning("%s: it has no 'videos': its %d images are read as clips of one frame each, "
                    'so forecasts play no part', path, len(images))


def _stamps(images: list[Entry], path: Path) -> list[int] | None:
    """Read the frames' ``stamp_ns``, which bags turned into CocoVID carry; all or none."""
    if any(image.get('stamp_ns') is None for image in images):
        return None
    return [value_of(image, 'stamp_ns', 'image', path) for image in images]


def _video_size(image: Entry, path: Path) -> tuple[int, int] | None:
    """Read what a frame of a video file says that its size is; None where it does not say."""
    suffix = Path(image['file_name']).suffix.lower()
    if suffix not in VIDEO_SUFFIXES or None in (image.get('width'), image.get('height')):
        return None
    return side_of(image, 'width', path), side_of(image, 'height', path)


def _named_apart(videos: Sequence[Entry], path: Path) -> list[str]:
    """Name the videos; those of one name get their ids behind it."""
    names = [str(video.get('name') or video['id']) for video in videos]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        _logger.warning('%s: several videos are called %s%s: their ids are put behind their names',
                        path, ', '.join(map(repr, twice[:5])), ', …' if twice[5:] else '')
    taken = set(names)
    for k, video in enumerate(videos):
        if names[k] in twice:
            names[k] = f'{names[k]}_{video["id"]}'
            while names[k] in taken:
                names[k] += '_'
            taken.add(names[k])
    return names


def load_coco_vid(
    root: str | Path, split: str, labels: Sequence[str] | None = None,
    needs_images: bool = True,
) -> CocoVidDataset:
    """
    Load a split: truth in ``root/annotations/SPLIT.json``, frames under ``root/SPLIT``.

    A frame is the image file ``root/SPLIT/<file_name>`` or, where ``file_name`` is a video,
    frame ``frame_id`` (from 0) of it. Boxes are clipped to their image; those that have no
    area then are dropped and counted. Annotations with ``iscrowd`` are crowds, see
    :class:`Truth`. An image without annotations is empty; one with ``"annotated": false`` (not
    part of CocoVID, readers that do not know it pass over it) was never annotated. So is
    ``"stamp_ns"``, the time of an image, which follows from ``frame_id`` and ``fps`` otherwise.

    Videos of one name get their ids behind it, so that every clip has its own. A COCO file of
    still images, without ``videos``, is read as clips of one frame each.

    :param labels: the weights' class names, to number the categories by; without them the
        categories are numbered by rising id.
    :param needs_images: whether the frames have to be there; False where only the truth is
        looked at.
    :raises FileNotFoundError: if the JSON, or the first frame of a video, is missing.
    :raises ValueError: for a file that is not CocoVID, or classes foreign to ``labels``.
    """
    root = Path(root)
    path = root / 'annotations' / f'{split}.json'
    content = read_annotations(path, ('categories', 'images', 'annotations'))
    if 'videos' not in content:
        _make_stills(content, path)
    in_force, label_of = number_categories(content, path, labels)
    truths = ImageTruths(content, path, label_of)
    clips = []
    videos = _frames_by_video(content, path)
    names = _named_apart([video for video, _ in videos], path)
    for name, (video, images) in zip(names, videos):
        files = [
            inside(root / split, value_of(image, 'file_name', 'image', path), path)
            for image in images
        ]
        if needs_images and not files[0].is_file():
            raise FileNotFoundError(
                f'{files[0]}: no such file; {path} names it as file_name of image '
                f'{images[0]["id"]}; frames are expected under {root / split}'
            )
        clips.append(CocoVidClip(
            name, _fps(video, path), files,
            [image['frame_id'] for image in images],
            [value_of(image, 'id', 'image', path) for image in images],
            PackedTruth.pack(truths.of(image) for image in images),
            _stamps(images, path),
            [stated_size(image.get('width'), image.get('height')) for image in images],
            _video_size(images[0], path),
        ))
    if truths.dropped:
        _logger.warning('%s: %d boxes without area, or outside of their image, are left out',
                        path, truths.dropped)
    for note in truths.tracks.notes():
        _logger.warning('%s: %s', path, note)
    if not clips:
        raise ValueError(f"{path}: 'videos' is empty; there is nothing to read")
    category_ids = {index: category for category, index in label_of.items()}
    return CocoVidDataset(in_force, clips, category_ids, truths.dropped)
