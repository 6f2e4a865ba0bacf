"""A bag through the real node: lossless it is answered as offline, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from rclpy.serialization import deserialize_message  # noqa: E402
from vision_msgs.msg import Detection2DArray  # noqa: E402

from forecast_detector.bags import BagReader, BagWriter  # noqa: E402
from forecast_detector.bags.messages import COMPRESSED_IMAGE, stamp_to_ns  # noqa: E402
from forecast_detector.cli.main import main  # noqa: E402
from forecast_detector.msg import ForecastDecision  # noqa: E402
from forecast_detector.types import Detections  # noqa: E402

LABELS = ('bolt', 'nut', 'wrench')
FIRST_NS, STEP_NS, FRAMES = 5_000_000_000, 100_000_000, 12
KINDS = {'detections': Detection2DArray, 'decision': ForecastDecision}


def replay(bag: Path, weights: Path, out: Path, *options: str) -> dict[str, Any]:
    """Replay; return the report."""
    steered = () if '--policy' in options else ('--p', '0.5', '--max-consecutive-forecasts', '3')
    status = main(['replay', '--bag', str(bag), '--weights', str(weights), '--out', str(out),
                   *steered, *options])
    assert status == 0
    report: dict[str, Any] = json.loads((out / 'report.json').read_text())
    return report


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process and the node compute alike, on one thread."""
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def write_bag(path: Path, bad: int | None = None) -> Path:
    """Write a raw and a compressed camera, half a period apart, and the truth of both."""
    rng = np.random.default_rng(0)
    with BagWriter(path) as bag:
        for k in range(FRAMES):
            for n, topic in enumerate(('/left/image_raw', '/right/image_raw/compressed')):
                stamp_ns = FIRST_NS + k * STEP_NS + n * STEP_NS // 2
                image = rng.integers(0, 255, (72, 96, 3), np.uint8)
                if k == bad and n == 1:
                    bag.compressed(topic, b'no image', 'jpeg', stamp_ns, f'lens{n}')
                else:
                    bag.image(topic, image, stamp_ns, f'lens{n}', jpeg_quality=90 if n else None)
                box = np.array([[k, 2, k + 30, 40]], np.float32)
                truth = Detections(box, np.ones(1, np.float32), np.array([k % 3]))
                bag.detections(('/left/truth', '/right/truth')[n], truth, LABELS, stamp_ns)
    return path


def answers(out: Path) -> list[tuple]:
    """Read what a replay wrote, by the real message types, without the times of the steps."""
    rows: list[tuple] = []
    with BagReader(out / 'bag') as bag:
        for topic in sorted(topic for topic in bag.topics if topic != '/label_info'):
            kind = KINDS[topic.rpartition('/')[2]]
            for record in bag.records([topic]):
                message = deserialize_message(record.data, kind)
                if isinstance(message, ForecastDecision):
                    message.inference_ms = 0.0
                rows.append((topic, record.log_ns, str(message)))
    return rows


TOPICS = ('--image-topic', '/left/image_raw', '/right/image_raw/compressed')


def test_lossless_live_is_offline_cameras_and_loops_included(
    tiny_weights: Path, tmp_path: Path
) -> None:
    bag = write_bag(tmp_path / 'bag')
    options = (*TOPICS, '--loop', '2')
    offline = replay(bag, tiny_weights, tmp_path / 'offline', *options)
    live = replay(bag, tiny_weights, tmp_path / 'live', *options, '--live', '--lossless',
                  '--rate', '0')
    expected = answers(tmp_path / 'offline')
    assert len(expected) == 2 * 2 * 2 * FRAMES
    assert answers(tmp_path / 'live') == expected
    for name in ('map50', 'map50_tolerant', 'by_class', 'by_speed', 'read_share', 'frames'):
        assert live[name] == offline[name], name
    for topic, report in live['topics'].items():
        assert (report['answered'], report['dropped']) == (2 * FRAMES, 0)
        assert report['resets'] == offline['topics'][topic]['resets']
        assert list(report['resets'].values()) == [1]
        assert report['answer_ms']['p50'] > 0
    assert live['provenance']['mode'] == 'live'


@pytest.mark.parametrize('policy', ['read', 'flow'])
def test_lossless_goes_on_over_an_unusable_image(
    tiny_weights: Path, tmp_path: Path, policy: str
) -> None:
    bag = write_bag(tmp_path / 'bag', bad=4)
    options = ('--image-topic', '/right/image_raw/compressed', '--policy', policy)
    offline = replay(bag, tiny_weights, tmp_path / 'offline', *options)
    live = replay(bag, tiny_weights, tmp_path / 'live', *options, '--live', '--lossless',
                  '--rate', '2')
    assert answers(tmp_path / 'live') == answers(tmp_path / 'offline')
    for report in (live, offline):
        (topic,) = report['topics'].values()
        assert (topic['answered'], topic['bad'], topic['dropped']) == (FRAMES - 1, 1, 0)
        assert topic['unanswered_stamps_ns'] == [FIRST_NS + 4 * STEP_NS + STEP_NS // 2]


def test_live_counts_what_a_hurried_node_drops(tiny_weights: Path, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag')
    report = replay(bag, tiny_weights, tmp_path / 'live', *TOPICS, '--live', '--rate', '1000',
                    '--policy', 'read')
    for name, topic in report['topics'].items():
        assert topic['answered'] + topic['dropped'] == topic['frames'] == FRAMES
        assert len(topic['unanswered_stamps_ns']) == topic['dropped']
        with BagReader(tmp_path / 'live/bag') as written:
            folder = '/left' if 'left' in name else '/right'
            stamps = [stamp_to_ns(m.header.stamp)
                      for _, m in written.messages(f'{folder}/decision')]
        assert len(stamps) == topic['answered']
        assert not set(stamps) & set(topic['unanswered_stamps_ns'])
    assert sum(topic['dropped'] for topic in report['topics'].values()) > 0


def test_without_stamps_live_is_offline_or_refused(
    tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    with BagWriter(tmp_path / 'bag') as bag:
        for k in range(FRAMES):
            image, log_ns = rng.integers(0, 255, (72, 96, 3), np.uint8), FIRST_NS + k * STEP_NS
            if k == 3:
                bag.compressed('/cam/compressed', b'no image', 'jpeg', 0, log_ns=log_ns)
            elif k == 6:
                bag.write_raw('/cam/compressed', COMPRESSED_IMAGE, b'\0\1\0\0cut', log_ns)
            else:
                bag.image('/cam/compressed', image, 0, jpeg_quality=90, log_ns=log_ns)
    options = ('--policy', 'read')
    offline = replay(tmp_path / 'bag', tiny_weights, tmp_path / 'offline', *options)
    live = replay(tmp_path / 'bag', tiny_weights, tmp_path / 'live', *options, '--live',
                  '--lossless', '--rate', '0')
    assert answers(tmp_path / 'live') == answers(tmp_path / 'offline')
    for report in (live, offline):
        topic = report['topics']['/cam/compressed']
        assert (topic['frames'], topic['answered'], topic['bad'], topic['dropped']) == (
            FRAMES, FRAMES - 2, 2, 0)
    command = ['replay', '--bag', str(tmp_path / 'bag'), '--weights', str(tiny_weights), '--live',
               '--out', str(tmp_path / 'hurried')]
    assert main(command) == 1
    assert 'have the same stamp (the first has 0 ns)' in capsys.readouterr().err
    assert not (tmp_path / 'hurried').exists()
