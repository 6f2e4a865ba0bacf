"""Image files of data sets: damaged ones are named, and boxes lie where they were drawn."""

import json
import struct
import zlib

import cv2
import numpy as np
import pytest

from forecast_detector.bags import BagReader, BagWriter
from forecast_detector.cli.main import main
from forecast_detector.data.base import Truth
from forecast_detector.data.coco_vid import load_coco_vid
from forecast_detector.data.convert import clip_to_bag
from forecast_detector.data.image_files import file_kind, read_image, stated_size
from forecast_detector.data.imagenet_vid import load_imagenet_vid
from forecast_detector.data.rosbag import RosbagClip
from forecast_detector.data.still import load_still_coco, load_still_voc, StillClip
from forecast_detector.data.voc_video import load_voc_video
from forecast_detector.images import orientation_of, turn
from forecast_detector.types import BadFrameError

SIZE = (80, 48)  # width, height of the picture as it is stored
BOX = (8, 4, 40, 20)  # of the white object in it, xyxy
TURNS = range(1, 9)
# Where the upper left corner of the stored picture is seen: (row, column), Exif's definition.
CORNERS = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0),
           5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}


def stored():
    image = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
    image[BOX[1]:BOX[3], BOX[0]:BOX[2]] = 250
    return image


def tiff(orientation, order='<', before=0):
    """Write Exif data with the tag, behind some others."""
    head = b'II*\0' if order == '<' else b'MM\0*'
    entries = [struct.pack(order + 'HHII', 0x0100 + k, 4, 1, 7) for k in range(before)]
    entries.append(struct.pack(order + 'HHIHH', 0x0112, 3, 1, orientation, 0))
    return (head + struct.pack(order + 'I', 8) + struct.pack(order + 'H', len(entries))
            + b''.join(entries) + bytes(4))


def segment(marker, body):
    return b'\xff' + bytes([marker]) + struct.pack('>H', len(body) + 2) + body


def jpeg(orientation=None, order='<', before=0, first=b''):
    data = cv2.imencode('.jpg', stored(), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    if orientation is None:
        return data
    return data[:2] + first + segment(
        0xE1, b'Exif\0\0' + tiff(orientation, order, before)) + data[2:]


def chunk(name, body):
    return struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))


def png(orientation=None):
    data = cv2.imencode('.png', stored())[1].tobytes()
    extra = b'' if orientation is None else chunk(b'eXIf', tiff(orientation, '>'))
    return data[:33] + extra + data[33:]


def webp(orientation):
    data = cv2.imencode('.webp', stored(), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    exif = tiff(orientation)  # of even length
    blocks = (b'VP8X' + struct.pack('<I', 10) + bytes([8, 0, 0, 0])
              + (SIZE[0] - 1).to_bytes(3, 'little') + (SIZE[1] - 1).to_bytes(3, 'little')
              + data[12:] + b'EXIF' + struct.pack('<I', len(exif)) + exif)
    return b'RIFF' + struct.pack('<I', len(blocks) + 4) + b'WEBP' + blocks


def seen_box(image):
    rows, columns = np.nonzero(image[..., 0] > 150)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize('orientation', TURNS)
def test_turning_brings_the_first_pixel_to_where_exif_says(orientation):
    image = np.zeros((4, 6, 3), np.uint8)
    image[0, 0] = 255
    turned = turn(image, orientation)
    assert turned.shape == ((6, 4, 3) if orientation >= 5 else (4, 6, 3))
    assert turned[CORNERS[orientation]].all() and np.count_nonzero(turned) == 3


@pytest.mark.parametrize('orientation', TURNS)
def test_the_orientation_is_found(orientation):
    for order in '<>':
        for before in (0, 3):
            # JFIF, and a segment as a colour profile is, before the Exif data.
            for first in (b'', segment(0xE2, bytes(70)), segment(0xE1, b'http://ns.adobe.com\0')):
                data = jpeg(orientation, order, before, first)
                assert orientation_of(memoryview(data)) == orientation
    assert orientation_of(memoryview(png(orientation))) == orientation
    assert orientation_of(memoryview(webp(orientation))) == orientation


@pytest.mark.parametrize('data', [
    jpeg(), jpeg(0), jpeg(9), png(), b'', b'\xff\xd8', jpeg(6)[:30],
    jpeg()[:2] + segment(0xE1, b'Exif\0\0II*\0\xff\xff\xff\xff') + jpeg()[2:],
    jpeg()[:2] + segment(0xE1, b'Exif\0\0') + jpeg()[2:], b'RIFF\0\0\0\0WEBPEXIF',
])
def test_without_a_sane_orientation_a_picture_is_as_it_is_stored(data):
    assert orientation_of(memoryview(data)) == 1


@pytest.mark.parametrize('orientation', TURNS)
@pytest.mark.parametrize('make, suffix', [(jpeg, 'jpg'), (png, 'png'), (webp, 'webp')])
def test_the_stated_size_decides_whether_a_picture_is_turned(
    tmp_path, orientation, make, suffix
):
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(make(orientation))
    upright = turn(stored(), orientation)
    height, width = upright.shape[:2]
    # Unstated, or the size of the turned picture: as people see it.
    for size in (None, (width, height)):
        assert np.abs(read_image(path, size).astype(int) - upright).max() < 40
    if orientation >= 5:
        assert np.abs(read_image(path, SIZE).astype(int) - stored()).max() < 40
    with pytest.raises(BadFrameError) as caught:
        read_image(path, (33, 44))
    text = str(caught.value)
    assert str(path) in text and f'{width}x{height}' in text and '33x44' in text
    assert ('Exif' in text and f'{SIZE[0]}x{SIZE[1]}' in text) == (orientation > 1)


def write_coco(root, pictures, size=SIZE, box=BOX):
    """Write CocoVID of one video; pictures are the bytes of its files."""
    (root / 'val').mkdir(parents=True)
    (root / 'annotations').mkdir()
    for k, data in enumerate(pictures):
        (root / 'val' / f'{k:06d}.jpg').write_bytes(data)
    x0, y0, x1, y1 = box
    (root / 'annotations/val.json').write_text(json.dumps({
        'categories': [{'id': 1, 'name': 'cat'}], 'videos': [{'id': 1, 'name': 'v', 'fps': 10}],
        'images': [{'id': k + 1, 'video_id': 1, 'frame_id': k, 'file_name': f'{k:06d}.jpg',
                    'width': size[0], 'height': size[1]} for k in range(len(pictures))],
        'annotations': [{'id': k + 1, 'image_id': k + 1, 'category_id': 1, 'instance_id': 1,
                         'bbox': [x0, y0, x1 - x0, y1 - y0]} for k in range(len(pictures))],
    }))
    return root


@pytest.mark.parametrize('orientation', TURNS)
@pytest.mark.parametrize('stated_turned', [False, True])
def test_boxes_lie_on_the_objects_of_turned_pictures(tmp_path, orientation, stated_turned):
    turned = orientation >= 5 and stated_turned or 2 <= orientation <= 4
    truth = seen_box(turn(stored(), orientation) if turned else stored())
    size = SIZE[::-1] if orientation >= 5 and stated_turned else SIZE
    root = write_coco(tmp_path, [jpeg(orientation)] * 2, size, [int(v) for v in truth])
    clip = load_coco_vid(root, 'val').clips[0]
    assert np.abs(np.array(seen_box(clip.read(1))) - clip.truth(1).boxes[0]).max() <= 1
    # And so they do in what is made of it, for readers that turn pictures and those that do not.
    out = tmp_path / 'out'
    assert main(['convert', '--from', 'coco_vid', '--root', str(root), '--split', 'val',
                 '--to', 'rosbag', '--jpeg-quality', '95', '--out', str(out)]) == 0
    bag = RosbagClip(next(out.iterdir()))
    assert np.abs(np.array(seen_box(bag.read(1))) - bag.truth(1).boxes[0]).max() <= 1
    with BagReader(next(out.iterdir())) as reader:
        topic = reader.image_topic()
        for _, message in reader.messages(topic):
            assert orientation_of(memoryview(bytes(message.data))) == 1
    assert main(['convert', '--from', 'rosbag', '--root', str(out), '--to', 'coco_vid',
                 '--out', str(tmp_path / 'back'), '--split', 'val']) == 0
    back = load_coco_vid(tmp_path / 'back', 'val').clips[0]
    assert np.abs(np.array(seen_box(back.read(1))) - back.truth(1).boxes[0]).max() <= 1


def test_pictures_with_plain_exif_data_are_copied_as_they_are():
    assert file_kind(jpeg(1)) == file_kind(jpeg()) == 'jpeg' and file_kind(png(1)) == 'png'
    assert file_kind(jpeg(6)) is None and file_kind(png(8)) is None and file_kind(webp(1)) is None
    assert file_kind(jpeg(3, first=segment(0xE2, bytes(300)))) is None


def test_a_picture_of_another_size_than_its_annotations_is_named_with_both(tmp_path, capsys):
    root = write_coco(tmp_path, [jpeg()], (160, 96))
    with pytest.raises(BadFrameError, match=r'000000.jpg: .*80x48.*160x96'):
        load_coco_vid(root, 'val').clips[0].read(0)


def test_sizes_that_annotations_do_not_state_bind_nothing(tmp_path):
    for number, size in enumerate([(0, 0), (None, None), ('80', '48')]):
        root = write_coco(tmp_path / str(number), [jpeg()], size)
        content = json.loads((root / 'annotations/val.json').read_text())
        content['annotations'] = []
        (root / 'annotations/val.json').write_text(json.dumps(content))
        assert load_coco_vid(root, 'val').clips[0].read(0).shape == (48, 80, 3)


def test_a_video_of_another_size_than_its_annotations_is_named_with_both(tmp_path):
    root = write_coco(tmp_path, [], SIZE)
    writer = cv2.VideoWriter(str(root / 'val/a.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 10, SIZE)
    writer.write(stored())
    writer.release()
    content = json.loads((root / 'annotations/val.json').read_text())
    for size in (SIZE, (160, 96)):
        content['images'] = [{'id': 1, 'video_id': 1, 'frame_id': 0, 'file_name': 'a.mp4',
                              'width': size[0], 'height': size[1]}]
        (root / 'annotations/val.json').write_text(json.dumps(content))
        clip = load_coco_vid(root, 'val').clips[0]
        if size == SIZE:
            assert clip.read(0).shape == (48, 80, 3)
            continue
        with pytest.raises(BadFrameError, match=r'a.mp4: .*80x48.*160x96'):
            clip.read(0)


def voc(size, box=BOX, extra=''):
    corners = ''.join(f'<{key}>{value + 1}</{key}>'
                      for key, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box))
    return (f'<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>'
            f'<object><name>n02084071</name>{extra}<bndbox>{corners}</bndbox></object>'
            f'</annotation>')


def test_stills_and_snippets_are_turned_by_their_stated_size(tmp_path):
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main', 'Data/VID/val/s', 'val',
                   'Annotations/VID/val/s', 'annotations'):
        (tmp_path / folder).mkdir(parents=True)
    for k in range(10):
        (tmp_path / f'JPEGImages/{k}.jpg').write_bytes(jpeg(6))
        (tmp_path / f'Annotations/{k}.xml').write_text(voc(SIZE))
    (tmp_path / 'ImageSets/Main/val.txt').write_text('0\n')
    (tmp_path / 'Data/VID/val/s/000000.JPEG').write_bytes(jpeg(6))
    (tmp_path / 'Annotations/VID/val/s/000000.xml').write_text(
        voc(SIZE, extra='<trackid>1</trackid>'))
    (tmp_path / 'ImageSets/VID_val_videos.txt').write_text('val/s 1 0 1\n')
    (tmp_path / 'val/a.jpg').write_bytes(jpeg(6))
    (tmp_path / 'annotations/val.json').write_text(json.dumps({
        'categories': [], 'annotations': [], 'images': [
            {'id': 1, 'file_name': 'a.jpg', 'width': SIZE[0], 'height': SIZE[1]}]}))
    for dataset in (load_still_voc(tmp_path, 'val', 2), load_voc_video(tmp_path),
                    load_imagenet_vid(tmp_path, 'val'), load_still_coco(tmp_path, 'val', 2)):
        assert dataset.clips[0].read(0).shape == (48, 80, 3)
    # Without a size, as it is seen.
    clip = StillClip(tmp_path / 'val/a.jpg', 2, Truth())
    assert clip.read(0).shape == (80, 48, 3)


def test_an_annotated_size_may_have_fractions_or_be_text(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(jpeg())
    assert read_image(tmp_path / 'a.jpg', stated_size(79.6, 48.3)).shape == (48, 80, 3)
    assert stated_size('80', '48.0') == (80, 48)
    for nothing in (float('inf'), float('nan'), 0, None, '', 'wide', -80):
        assert stated_size(nothing, 48) is None


def test_a_size_that_cannot_tell_how_a_picture_was_annotated_is_a_warning_for_a_folder(
    tmp_path, caplog
):
    for name, orientation in (('a', 1), ('b', 3), ('c', 3), ('d', 6)):
        (tmp_path / f'{name}.jpg').write_bytes(jpeg(orientation))
    read_image(tmp_path / 'a.jpg', SIZE)
    read_image(tmp_path / 'b.jpg')  # not annotated
    read_image(tmp_path / 'd.jpg', SIZE)  # as it is stored
    assert not caplog.records
    for name in 'bc':
        read_image(tmp_path / f'{name}.jpg', SIZE)
    (line,) = [r.getMessage() for r in caplog.records]
    assert 'b.jpg' in line and 'orientation is 3' in line and 'it is turned' in line


def test_voc_files_with_a_wrong_size_are_a_warning_for_a_folder(tmp_path, caplog):
    for folder in ('JPEGImages', 'Annotations'):
        (tmp_path / folder).mkdir()
    for k in range(10):
        (tmp_path / f'JPEGImages/{k}.jpg').write_bytes(jpeg())
        (tmp_path / f'Annotations/{k}.xml').write_text(voc((800, 480)))
    clip = load_voc_video(tmp_path).clips[0]
    for k in range(10):
        assert clip.read(k).shape == (48, 80, 3)
    (line,) = [r.getMessage() for r in caplog.records]
    assert '0.jpg' in line and '80x48' in line and '800x480' in line


@pytest.mark.parametrize('damage, word', [
    (lambda data: data[:len(data) // 2], 'truncated'),
    (lambda data: data[:900] + data[1300:], 'lost bytes|cannot be decoded'),
    (lambda data: b'', 'cannot be decoded'),
    (lambda data: b'<html>not found</html>', 'cannot be decoded'),
])
def test_damaged_files_are_named_and_never_used(tmp_path, tiny_weights, capsys, damage, word):
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    good = cv2.imencode('.jpg', noise)[1].tobytes()
    root = write_coco(tmp_path / 'data', [good, good, damage(good), good])
    clip = load_coco_vid(root, 'val').clips[0]
    with pytest.raises(BadFrameError, match=f'000002.jpg: .*({word})'):
        clip.read(2)
    capsys.readouterr()
    status = main(['evaluate', '--weights', str(tiny_weights), '--dataset', 'coco_vid', '--root',
                   str(root), '--split', 'val', '--policy', 'read', '--device', 'cpu'])
    assert status != 0 and '000002.jpg' in capsys.readouterr().err
    # Copied into a bag it would be used elsewhere: it is left out, and named.
    assert main(['convert', '--from', 'coco_vid', '--root', str(root), '--split', 'val',
                 '--to', 'rosbag', '--jpeg-quality', '90', '--out', str(tmp_path / 'bags')]) == 0
    said = capsys.readouterr()
    assert '1 bags, 3 images' in said.out and '000002.jpg' in said.err
    with BagReader(next((tmp_path / 'bags').iterdir())) as bag:
        assert bag.count(bag.image_topic()) == 3


def test_without_someone_to_tell_a_damaged_file_stops_the_writing_of_a_bag(tmp_path):
    root = write_coco(tmp_path / 'data', [jpeg(), jpeg()[:400]])
    clip = load_coco_vid(root, 'val').clips[0]
    with pytest.raises(BadFrameError, match='000001.jpg'):
        clip_to_bag(clip, ('cat',), tmp_path / 'bag', jpeg_quality=90)


@pytest.mark.parametrize('image_format', [
    'bayer_rggb8; jpeg compressed ', 'rgb8; jpeg compressed rgb8'])
def test_a_message_that_needs_its_format_is_not_copied_as_a_file(tmp_path, image_format):
    colour = np.full((48, 64, 3), (230, 20, 20), np.uint8)
    pixels = colour
    if 'bayer' in image_format:
        pixels = np.full((48, 64), 20, np.uint8)
        pixels[::2, ::2] = 230
    with BagWriter(tmp_path / 'bag') as bag:
        bag.compressed('/cam/compressed', cv2.imencode('.jpg', pixels)[1].tobytes(),
                       image_format, 10**9)
    assert main(['convert', '--from', 'rosbag', '--root', str(tmp_path / 'bag'), '--to',
                 'coco_vid', '--out', str(tmp_path / 'out'), '--truth-topic', '']) == 0
    (file,) = (tmp_path / 'out').rglob('*.jpg')
    assert np.abs(cv2.imread(str(file))[24, 32].astype(int) - (20, 20, 230)).max() < 20


def test_a_video_stream_in_a_bag_is_named_and_not_a_line_for_every_image(
    tmp_path, tiny_weights, capsys
):
    with BagWriter(tmp_path / 'bag') as bag:
        for k in range(60):
            bag.compressed('/cam/compressed', b'\0\0\0\x01\x67\x42' + bytes(90 + k), 'h264',
                           k * 10**8)
    assert main(['detect', str(tmp_path / 'bag'), '--weights', str(tiny_weights), '--device',
                 'cpu']) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if 'passed over' in line]
    assert 'part of a video stream (H.264)' in lines[0] and len(lines) == 21
    assert lines[-1].endswith('40 more like these')
