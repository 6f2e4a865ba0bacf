"""The report in a real browser, opened from disk; skipped where there is no Chromium."""

import os
import shutil

import pytest
from report_samples import make_run, make_sweep, write

from forecast_detector.report.page import build_from

CHROMIUM = next(filter(None, map(shutil.which, (
    'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'))), None)
ARGUMENTS = [
    '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
]
# What a browser tells of the page: the sizes of all that is drawn, what sticks out to the right.
MEASURE = """() => ({
  charts: [...document.querySelectorAll('svg.chart, svg.strip, .frame')].map(
    e => { const r = e.getBoundingClientRect(); return [r.width, r.height]; }),
  images: [...document.images].map(i => [i.complete, i.naturalWidth]),
  width: document.documentElement.scrollWidth,
  outside: [...document.querySelectorAll('body *')].filter(
    e => !e.closest('svg') && !e.closest('.scroll') && !e.closest('.file')
      && e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80)),
  clipped: [...document.querySelectorAll('svg.chart text')].filter(
    e => { const r = e.getBoundingClientRect(); return r.left < 0 || r.right > innerWidth; }
  ).map(e => e.textContent),
  colour: getComputedStyle(document.body).backgroundColor,
})"""


@pytest.fixture(scope='module')
def browser():
    playwright = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    if CHROMIUM is None:
        pytest.skip('there is no Chromium here (Debian: apt install chromium)')
    # Chromium's sandbox refuses to run as root, as in a container.
    sandbox = ['--no-sandbox'] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, *sandbox], timeout=120_000)
        yield opened
        opened.close()


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp('report')
    long = 'a-clip-name-that-goes-on-and-on-without-a-place-to-break-it-anywhere' * 2
    run = make_run(classes=[f'class {k} of a rather long name' for k in range(31)], weights=long)
    run['trace']['clips'][1]['name'] = long
    other = make_run(policy='alternate', p=None, read_every=2, machine=long)
    runs = write(folder, run=run, other=other, third=make_run(stride=2), sweep=make_sweep())
    out = folder / 'report.html'
    out.write_text(build_from(runs), encoding='utf-8')
    return out


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [390, 1280])
def test_it_looks_right_from_disk(browser, path, width, scheme):
    page = browser.new_page(viewport={'width': width, 'height': 900}, color_scheme=scheme)
    page.set_default_timeout(120_000)
    complaints, requests = [], []
    page.on('console', lambda message: complaints.append(message.text))
    page.on('pageerror', lambda error: complaints.append(str(error)))
    page.on('request', lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.locator('details').evaluate_all('all => all.forEach(d => d.open = true)')
    seen = page.evaluate(MEASURE)
    page.close()
    assert complaints == []
    assert {url.split(':')[0] for url in requests} <= {'file', 'data'}
    assert len(seen['charts']) > 20
    assert all(w > 40 and h > 15 for w, h in seen['charts'])
    assert all(complete and wide > 0 for complete, wide in seen['images'])
    assert seen['width'] == width
    assert seen['outside'] == [] and seen['clipped'] == []
    red = int(seen['colour'].removeprefix('rgb(').split(',')[0])
    assert red < 60 if scheme == 'dark' else red > 200
