"""CocoVID whose frames are in a video file: annotations count decoded frames."""

import json

from coco_samples import coco
from matroska import matroska
import pytest
from video_samples import grey, QUARTER, turn, write_video

from forecast_detector.cli.main import main
from forecast_detector.data.capture import VideoFaultError
from forecast_detector.data.coco_vid import load_coco_vid
from forecast_detector.data.video import VideoEndError


def change_images(root, change):
    """Change the images of an annotation file."""
    path = root / 'annotations/val.json'
    content = json.loads(path.read_text())
    for image in content['images']:
        change(image)
    path.write_text(json.dumps(content))


@pytest.fixture
def root(tmp_path):
    """Write a video of ten frames and its annotations."""
    coco(tmp_path, ['a'], frames=10, file='a.mp4')
    write_video(tmp_path / 'val/a.mp4')
    return tmp_path


def test_a_file_that_is_shorter_is_named_with_both_lengths(root):
    write_video(root / 'val/a.mp4', [0, 20, 40])
    clip = load_coco_vid(root, 'val').clips[0]
    assert [grey(clip.read(k)) for k in range(3)] == [0, 1, 2]
    with pytest.raises(VideoEndError, match='after 3 frames; .* on to frame_id 9: .* shorter'):
        clip.read(3)


def test_a_codec_that_gives_no_frame_is_named_and_not_a_short_file(root):
    frames = [bytes([k]) * 50 for k in range(10)]
    data = matroska(frames, range(0, 400, 40), codec=b'V_VP9', duration_ms=400)
    (root / 'val/a.mp4').write_bytes(data)
    clip = load_coco_vid(root, 'val').clips[0]
    for k in (0, 5):
        with pytest.raises(VideoFaultError, match='VP9') as caught:
            clip.read(k)
        assert 'shorter' not in str(caught.value) and 'ffmpeg -i a.mp4' in str(caught.value)


def test_frames_counted_from_one_are_named_at_the_end(root):
    change_images(root, lambda image: image.update(frame_id=image['frame_id'] + 1))
    clip = load_coco_vid(root, 'val').clips[0]
    with pytest.raises(VideoEndError, match='seems to count from 1 there, and has to'):
        clip.read(9)


@pytest.mark.parametrize('policy', ['read', 'scheduler'])
def test_a_short_file_is_one_line_of_a_measurement(root, policy, capsys):
    write_video(root / 'val/a.mp4', [0, 20, 40])
    assert main(['evaluate', '--weights', 'synthetic', '--dataset', 'coco_vid', '--root',
                 str(root), '--split', 'val', '--policy', policy]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if 'a.mp4' in line]
    assert len(lines) == 1 and 'ends after 3 frames' in lines[0]


@pytest.mark.parametrize('size', [(64, 48), (48, 64)])
def test_a_turned_video_is_read_as_it_was_annotated(root, size):
    turn(root / 'val/a.mp4', QUARTER)
    change_images(root, lambda image: image.update(width=size[0], height=size[1]))
    clip = load_coco_vid(root, 'val').clips[0]
    assert clip.read(4).shape == (size[1], size[0], 3)


def test_a_video_of_another_size_is_an_error_that_names_both(root):
    change_images(root, lambda image: image.update(width=640, height=480))
    clip = load_coco_vid(root, 'val').clips[0]
    for k in (0, 5):
        with pytest.raises(VideoFaultError, match='64x48, the annotations say 640x480'):
            clip.read(k)


def test_a_size_that_is_not_said_is_not_asked_for(root):
    for key in ('width', 'height'):
        change_images(root, lambda image, key=key: image.pop(key))
    assert grey(load_coco_vid(root, 'val').clips[0].read(5)) == 5
