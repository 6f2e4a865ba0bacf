"""The documents lead where they say: files, headings, pictures and the scripts that drew them."""

import os
from pathlib import Path
import re
import subprocess
import sys
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r'^ {0,3}(```|~~~).*?^ {0,3}\1 *$', re.DOTALL | re.MULTILINE)
CODE = re.compile(r'(`+).+?\1', re.DOTALL)
LINK = re.compile(r'\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)')
IMAGE_TAG = re.compile(r'<(?:img|source)\b[^>]*?\b(?:src|srcset)="([^"]+)"')
HEADING = re.compile(r'^ {0,3}#{1,6} +(.*?) *#*$', re.MULTILINE)
NAMED_DOCUMENT = re.compile(r'\b(?:docs|weights)/[\w/]+\.md\b|\b(?:README|CONTRIBUTING)\.md\b')

DOCUMENTS = sorted(
    path for folder in ('.', 'docs', 'weights') for path in (ROOT / folder).glob('*.md')
)
SOURCES = sorted(
    path for folder in ('forecast_detector', 'test', 'benchmarks', 'scripts', 'config', 'launch',
                        'msg')
    for path in (ROOT / folder).rglob('*')
    if path.is_file() and path.suffix in ('', '.py', '.yaml', '.msg') and path != Path(__file__)
)


def anchors(text):
    """Give the anchors of a document's headings, made as GitHub makes them."""
    seen = {}
    for title in HEADING.findall(FENCE.sub('', text)):
        title = LINK.sub(lambda link: link.group(0)[1:].split(']')[0], title).replace('\\', '')
        slug = re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-')
        seen[slug] = seen.get(slug, -1) + 1
        yield f'{slug}-{seen[slug]}' if seen[slug] else slug


def broken_links(path):
    """Name the relative links of a document that lead nowhere."""
    text = FENCE.sub('', path.read_text())
    targets = IMAGE_TAG.findall(text) + LINK.findall(CODE.sub('', text))
    for target in targets:
        if re.match(r'[a-z][a-z0-9+.-]*:', target):
            continue
        name, _, anchor = unquote(target).partition('#')
        goal = path.parent / name if name else path
        known = not anchor or goal.suffix == '.md' and goal.exists() and (
            anchor in anchors(goal.read_text()))
        if not goal.exists() or not known:
            yield target


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    assert list(broken_links(path)) == []


@pytest.mark.parametrize('link', [
    '[a](missing.md)', '[a](other.md#missing)', '[a](#missing)', '![a](missing.png)',
    '[a [b] c](missing.md)', '<img alt="x" src="missing.png">', '[a](data.txt#part)',
    '[two\nlines](missing.md)',
])
def test_a_broken_link_is_found(tmp_path, link):
    (tmp_path / 'other.md').write_text('# Here\n```\n# missing\n```\n')
    (tmp_path / 'data.txt').write_text('# Part\n')
    page = tmp_path / 'page.md'
    page.write_text(f'# Title\n{link}\n')
    assert len(list(broken_links(page))) == 1


@pytest.mark.parametrize('link', [
    '[a](other.md#here-diagnose--and-more)', '[a](other.md#foda_blind)', '[a](other.md#twice-1)',
    '[a](#title)', '[a](https://example.org/missing.md#x)', '`[a](missing.md)`',
    '```\n[a](missing.md)\n```', '![a](<other.md>)',
])
def test_a_good_link_is_none(tmp_path, link):
    (tmp_path / 'other.md').write_text(
        '## Here: `diagnose`, – and more\n# foda\\_blind\n## Twice\n## Twice\n'
    )
    page = tmp_path / 'page.md'
    page.write_text(f'# Title\n{link}\n')
    assert list(broken_links(page)) == []


@pytest.mark.parametrize('path', [ROOT / 'docs', ROOT / 'weights'], ids=lambda path: path.name)
def test_every_document_is_linked(path):
    linked = {
        (document.parent / target.partition('#')[0]).resolve()
        for document in DOCUMENTS for target in LINK.findall(document.read_text())
        if ':' not in target and not target.startswith('#')
    }
    assert set(path.glob('*.md')) - linked == set()


def test_documents_named_in_sources_are_there():
    missing = {
        f'{path.relative_to(ROOT)}: {name}' for path in SOURCES
        for name in NAMED_DOCUMENT.findall(path.read_text()) if not (ROOT / name).exists()
    }
    assert missing == set()


def test_every_picture_is_shown():
    shown = {
        (path.parent / target).resolve() for path in DOCUMENTS
        for target in LINK.findall(path.read_text()) + IMAGE_TAG.findall(path.read_text())
        if ':' not in target
    }
    assert {path for path in (ROOT / 'docs' / 'images').iterdir() if path not in shown} == set()


def test_pictures_are_small():
    assert {path.name for path in (ROOT / 'docs' / 'images').iterdir()
            if path.stat().st_size > 300_000} == set()


def readme_sample():
    sections = re.findall(r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL)
    assert len(sections) == 1
    return sections[0]


def test_the_python_sample_of_the_readme_runs(tmp_path):
    script = tmp_path / 'sample.py'
    script.write_text(
        'import numpy as np\nrgb, stamp_ns = np.zeros((240, 320, 3), np.uint8), 0\n'
        + readme_sample()
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('READ [')
