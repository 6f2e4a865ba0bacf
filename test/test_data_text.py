"""Text, lists and XML as other tools write them: marks, encodings, floats, empty fields."""

import numpy as np
import pytest

from forecast_detector.data.imagenet_vid import load_imagenet_vid, read_truth
from forecast_detector.data.still import load_still_voc
from forecast_detector.data.text import read_text
from forecast_detector.data.voc_xml import read_voc
from forecast_detector.records import read as load_report
from forecast_detector.scoring.dump import read_dump

MARKED = ('utf-8', 'utf-8-sig', 'utf-16', 'utf-32')
BIG_ENDIAN = b'\xfe\xff' + 'Flèche\r\n'.encode('utf-16-be')


@pytest.mark.parametrize('encoding', MARKED)
def test_text_is_read_with_and_without_a_byte_order_mark(tmp_path, encoding):
    (tmp_path / 'a.txt').write_bytes('Flèche\n'.encode(encoding))
    assert read_text(tmp_path / 'a.txt') == 'Flèche\n'
    (tmp_path / 'a.txt').write_bytes(BIG_ENDIAN)
    assert read_text(tmp_path / 'a.txt').splitlines() == ['Flèche']


@pytest.mark.parametrize(('data', 'message'), [
    ('a\nFlèche'.encode('latin-1'), r'not UTF-8 text \(byte 0xE8 in line 2\).*Latin-1'),
    ('Flèche'.encode('utf-16-le'), 'UTF-16 without a byte order mark'),
    (b'\xff\xfea', 'mark says UTF-16-LE, which it is not'),
    (b'\x89PNG\r\n\x1a\n\0\0', 'binary'),
])
def test_another_encoding_is_named_with_the_remedy(tmp_path, data, message):
    (tmp_path / 'a.txt').write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_text(tmp_path / 'a.txt')
    assert 'a.txt' in str(caught.value) and 'save it as UTF-8' in str(caught.value)
    assert 'truncated' not in str(caught.value)


def voc(size='<width>320</width><height>240</height>', extra='', name='n02958343', xmin='20'):
    """Write an annotation of one object."""
    return (f'<annotation><size>{size}</size><object>{extra}<name>{name}</name><bndbox>'
            f'<xmin>{xmin}</xmin><ymin>40</ymin><xmax>70</xmax><ymax>90</ymax></bndbox></object>'
            f'</annotation>')


@pytest.mark.parametrize(('size', 'read'), [
    ('<width>320.0</width><height>240</height>', (320, 240)),
    ('<width></width><height/>', (0, 0)),
    ('<width>-1</width><height>0</height>', (0, 0)),
    ('<width>Unspecified</width><height>nan</height>', (0, 0)),
    ('<width> 320 </width><height>1e99</height>', (320, 0)),
    ('', (0, 0)),
])
def test_a_size_that_nobody_asks_for_costs_no_boxes(tmp_path, size, read):
    (tmp_path / 'a.xml').write_text(voc(size))
    assert read_voc(tmp_path / 'a.xml').size == read
    assert read_truth(tmp_path / 'a.xml').boxes.tolist() == [[20, 40, 70, 90]]


@pytest.mark.parametrize(('text', 'track'), [
    ('0', 0), ('7', 7), ('7.0', 7), (' 7 ', 7), ('', -1), ('-1', -1), ('-3', -1),
    (str(2 ** 63 - 1), 2 ** 63 - 1),
])
def test_a_track_may_be_a_float_or_missing(tmp_path, text, track):
    (tmp_path / 'a.xml').write_text(voc(extra=f'<trackid>{text}</trackid>'))
    assert read_truth(tmp_path / 'a.xml').tracks.tolist() == [track]


@pytest.mark.parametrize(('text', 'difficult'), [
    ('0', False), ('1', True), ('1.0', True), ('0.0', False), ('', False), ('True', True),
    ('no', False),
])
def test_flags_in_every_spelling(tmp_path, text, difficult):
    (tmp_path / 'a.xml').write_text(voc(extra=f'<difficult>{text}</difficult>'))
    assert read_voc(tmp_path / 'a.xml').objects[0].difficult is difficult


@pytest.mark.parametrize(('values', 'message'), [
    ({'extra': '<trackid>a7</trackid>'}, "trackid is 'a7'; expected a whole number"),
    ({'extra': '<trackid>1.5</trackid>'}, "trackid is '1.5'"),
    ({'extra': f'<trackid>{2 ** 63}</trackid>'}, 'expected a whole number below'),
    ({'extra': '<difficult>perhaps</difficult>'}, "difficult is 'perhaps'; expected 0 or 1"),
    ({'xmin': ''}, 'bndbox/xmin is missing or empty'),
    ({'xmin': '20,5'}, "bndbox/xmin is '20,5'; expected a number"),
    ({'xmin': '80'}, 'ends before it begins'),
    ({'xmin': 'inf'}, 'is not finite'),
    ({'xmin': '-1e300'}, 'beyond any picture'),
    ({'name': ' '}, 'object 1 without name'),
])
def test_a_fault_in_a_file_is_named_by_its_field(tmp_path, values, message):
    (tmp_path / 'a.xml').write_text(voc(**values))
    with pytest.raises(ValueError, match=message) as caught:
        read_voc(tmp_path / 'a.xml')
    assert 'a.xml: not a Pascal VOC annotation' in str(caught.value)
    assert 'size' not in str(caught.value)


def test_names_may_have_a_namespace(tmp_path):
    text = voc(extra='<!-- seen twice --><trackid>3</trackid>')
    (tmp_path / 'a.xml').write_text(text.replace(
        '<annotation>', '<annotation xmlns="http://example.org/voc">'))
    read = read_voc(tmp_path / 'a.xml')
    assert [(o.name, o.box, o.track) for o in read.objects] == [('n02958343', (20, 40, 70, 90), 3)]


@pytest.mark.parametrize('text', [
    '<html><body>404</body></html>',
    '<annotations><image width="64"><box xtl="1"/></image></annotations>',
])
def test_xml_of_another_kind_is_not_an_image_without_objects(tmp_path, text):
    (tmp_path / 'a.xml').write_text(text)
    with pytest.raises(ValueError, match='begins with <(html|annotations)> and has no object'):
        read_voc(tmp_path / 'a.xml')
    (tmp_path / 'a.xml').write_text('<annotation><size/></annotation>')
    assert not read_voc(tmp_path / 'a.xml').objects


@pytest.mark.parametrize(('declared', 'encoding'), [
    (None, 'utf-8'), (None, 'utf-8-sig'), (None, 'utf-16'), ('utf-8', 'utf-8-sig'),
    ('utf-16', 'utf-16'), ('iso-8859-1', 'latin-1'), ('windows-1252', 'cp1252'),
    ('gb18030', 'gb18030'), ('utf-16', 'utf-8'),
])
def test_xml_in_the_encoding_that_its_mark_or_declaration_says(tmp_path, declared, encoding):
    head = f'<?xml version="1.0" encoding="{declared}"?>\r\n' if declared else ''
    (tmp_path / 'a.xml').write_bytes((head + voc(name='Flèche')).encode(encoding))
    assert read_voc(tmp_path / 'a.xml').objects[0].name == 'Flèche'


@pytest.mark.parametrize(('head', 'message'), [
    ('', 'not UTF-8 text'),
    ('<?xml version="1.0" encoding="utf-8"?>', "encoding 'utf-8', which it is not"),
    ('<?xml version="1.0" encoding="foo-8"?>', "encoding 'foo-8'"),
])
def test_xml_in_another_encoding_names_it(tmp_path, head, message):
    (tmp_path / 'a.xml').write_bytes((head + voc(name='Flèche')).encode('latin-1'))
    with pytest.raises(ValueError, match=message) as caught:
        read_voc(tmp_path / 'a.xml')
    assert 'UTF-8' in str(caught.value) and 'truncated' not in str(caught.value)


@pytest.mark.parametrize('encoding', MARKED)
def test_lists_with_marks_and_line_ends_of_windows(tmp_path, encoding):
    (tmp_path / 'ImageSets/Main').mkdir(parents=True)
    (tmp_path / 'Annotations').mkdir()
    (tmp_path / 'Annotations/a.xml').write_text(voc(name='car'))
    (tmp_path / 'ImageSets/VID_val_videos.txt').write_bytes(
        'val/x 1 0 3\r\nval/y 4 0 2\r\n'.encode(encoding))
    (tmp_path / 'ImageSets/Main/val.txt').write_bytes('a\r\n'.encode(encoding))
    clips = load_imagenet_vid(tmp_path, 'val', needs_images=False).clips
    assert [(clip.name, len(clip)) for clip in clips] == [('val/x', 3), ('val/y', 2)]
    assert [clip.name for clip in load_still_voc(tmp_path, 'val').clips] == ['a']


@pytest.mark.parametrize('encoding', MARKED)
def test_results_and_reports_with_a_mark(tmp_path, encoding):
    row = '[{"image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]'
    (tmp_path / 'r.json').write_bytes(row.encode(encoding))
    found = read_dump(tmp_path / 'r.json', [3], {0: 1}).found
    assert np.allclose(found[3].boxes, [[1, 2, 4, 6]])
    (tmp_path / 'a.json').write_bytes('{"things": 1}'.encode(encoding))
    with pytest.raises(ValueError, match='it has things'):
        load_report(tmp_path / 'a.json')


def test_results_in_latin_1_are_not_called_cut(tmp_path):
    (tmp_path / 'r.json').write_bytes('[{"category_name": "Flèche"}]'.encode('latin-1'))
    with pytest.raises(ValueError, match='not UTF-8 text'):
        read_dump(tmp_path / 'r.json', [3], {0: 1})
