"""
Fuzz and soak the engine, without ROS; what is found is printed as JSON.

    .venv/bin/python benchmarks/reliability.py fuzz --count 100000 --seed 1
    .venv/bin/python benchmarks/reliability.py soak --count 1000000

``fuzz`` sends malformed and hostile messages to a stream, and looks whether another one is
answered as before, to the last bit. ``soak`` steps streams, all in one batch, and looks how memory
and the time of a step grow.
"""

from __future__ import annotations

import argparse
from collections import Counter
import json
from pathlib import Path
import sys
import time
from typing import Any

from hostile import messages
import numpy as np

from forecast_detector.bags.reader import frame_from_message
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.config import StreamConfig
from forecast_detector.engine import StreamingDetector
from forecast_detector.memory import keep_freed_memory
from forecast_detector.types import Frame, StepFailure

# Small, as what is tested is not the network.
INPUT_SIZE = (64, 64)
GOOD_FRAMES, GOOD_EVERY, WARM, SAMPLE_EVERY = 8, 2000, 0.2, 100


def resident_mb() -> float:
    """Read the memory that this process has now."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * 4096 / 1e6


def make_detector(weights: str) -> StreamingDetector:
    """Make a detector of small images."""
    config = StreamConfig(score_threshold=0.05, max_gap_s=0.0)
    return StreamingDetector(load_checkpoint(weights), config, 'cpu', INPUT_SIZE)


def image(index: int) -> np.ndarray[Any, Any]:
    """Draw a good image: a square that moves over noise."""
    pixels = np.random.default_rng(7).integers(0, 60, (48, 64, 3), np.uint8)
    left = index * 3 % 44
    pixels[10:30, left:left + 20] = 220
    return pixels


def answers(detector: StreamingDetector) -> list[bytes]:
    """Detect on good images from nothing; what is answered, to the last bit."""
    detector.forget('good')
    found = []
    for index in range(GOOD_FRAMES):
        result = detector.step({'good': Frame.from_array(image(index), index * 10 ** 8)})['good']
        seen = result.or_raise().detections
        found.append(seen.boxes.tobytes() + seen.scores.tobytes() + seen.labels.tobytes())
    return found


def fuzz(detector: StreamingDetector, count: int, seed: int) -> dict[str, Any]:
    """Send hostile messages to a stream; another one is asked in between."""
    expected, kinds, longest, slowest_s = answers(detector), Counter[str](), 0, 0.0
    before_mb = half_mb = resident_mb()
    wrong = 0
    for number, (kind, message) in enumerate(messages(seed, count), 1):
        begin_s = time.monotonic()
        frame = frame_from_message(message, kind, 'hostile')
        result = detector.step({'hostile': frame})['hostile']
        slowest_s = max(slowest_s, time.monotonic() - begin_s)
        kinds['refused' if isinstance(result, StepFailure) else 'answered'] += 1
        if isinstance(result, StepFailure):
            longest = max(longest, len(str(result.error)))
        else:
            longest = max(longest, len(result.decision.reason_detail))
        if number == count // 2:
            half_mb = resident_mb()
        if number % GOOD_EVERY == 0 or number == count:
            wrong += answers(detector) != expected
    return {
        'messages': count, 'seed': seed, **kinds, 'wrong_answers': wrong,
        'longest_text': longest, 'slowest_ms': round(slowest_s * 1e3, 1),
        'grown_mb': round(resident_mb() - before_mb, 1),
        'grown_in_second_half_mb': round(resident_mb() - half_mb, 1),
    }


def soak(detector: StreamingDetector, count: int, seconds: float, streams: int) -> dict[str, Any]:
    """Step streams, as long as there is time; memory and time are compared from a fifth on."""
    detector.prepare(streams)
    begin_s, steps = time.monotonic(), 0
    sizes_mb: list[float] = []
    times_ms: list[float] = []
    while steps * streams < count and time.monotonic() - begin_s < seconds:
        frames = {
            f'soak {stream}': Frame.from_array(image(steps + 5 * stream), steps * 10 ** 8)
            for stream in range(streams)
        }
        start_s = time.process_time()
        detector.step(frames)
        times_ms.append((time.process_time() - start_s) * 1e3)
        if steps % SAMPLE_EVERY == 0:
            sizes_mb.append(resident_mb())
        steps += 1
    took_s, after_mb = time.monotonic() - begin_s, [*sizes_mb, resident_mb()]
    warm_mb = after_mb[int(WARM * len(after_mb)) + 1]
    part = max(1, int(WARM * len(times_ms)))
    return {
        'frames': steps * streams, 'streams': streams, 'warm_mb': round(warm_mb, 1),
        'end_mb': round(after_mb[-1], 1), 'most_mb': round(max(after_mb), 1),
        'drift': round(after_mb[-1] / warm_mb - 1, 5),
        'frames_per_s': round(steps * streams / took_s, 1),
        'step_cpu_ms_first_fifth': round(float(np.median(times_ms[:part])), 3),
        'step_cpu_ms_last_fifth': round(float(np.median(times_ms[-part:])), 3),
    }


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=('fuzz', 'soak'))
    parser.add_argument('--count', type=int, default=100_000)
    parser.add_argument('--seconds', type=float, default=float('inf'), help='soak no longer')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--streams', type=int, default=1, help='of a soak, stepped as one batch')
    parser.add_argument('--weights', default='synthetic')
    options = parser.parse_args()
    keep_freed_memory()
    detector = make_detector(options.weights)
    if options.what == 'soak':
        print(json.dumps(soak(
            detector, options.count, options.seconds, options.streams)))
        return 0
    found = fuzz(detector, options.count, options.seed)
    print(json.dumps(found))
    return int(found['wrong_answers'] > 0)


if __name__ == '__main__':
    sys.exit(main())
