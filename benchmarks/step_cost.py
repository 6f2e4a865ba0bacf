"""
What keeping freed memory saves of a READ and of a FORECAST in PyTorch; side by side in one run.

What steps cost otherwise says ``forecast-detector benchmark``.

    .venv/bin/python benchmarks/step_cost.py [WEIGHTS]

Machines are noisy: the variants take turns, each in processes of its own, and what counts is
the ratio.
"""

import json
import statistics
import subprocess
import sys

ROUNDS = 3
VARIANTS = ('kept', 'given back')
STEP = """
import json, statistics, sys
import numpy as np
if sys.argv[2] == 'kept':
    from forecast_detector.memory import keep_freed_memory
    assert keep_freed_memory()
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.config import StreamConfig
from forecast_detector.engine import StreamingDetector
from forecast_detector.types import Frame, Policy
config = StreamConfig(policy=Policy.ALTERNATE)
detector = StreamingDetector(load_checkpoint(sys.argv[1]), config, 'cpu', backend='torch')
rng = np.random.default_rng(0)
times = {'READ': [], 'FORECAST': []}
for t in range(120):
    image = rng.integers(0, 256, (300, 300, 3), np.uint8)
    decision = detector.step({'a': Frame.from_array(image, t * 33_000_000)})['a'].decision
    if t >= 20:
        times[decision.action.name].append(decision.inference_ms)
print(json.dumps({name: statistics.median(values) for name, values in times.items()}))
"""


def measure(weights: str, variant: str) -> dict[str, float]:
    """Run one process; returns the median milliseconds of a READ and of a FORECAST."""
    command = [sys.executable, '-c', STEP, weights, variant]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure and print a table."""
    weights = sys.argv[1] if len(sys.argv) > 1 else 'foda'
    runs: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
    for _ in range(ROUNDS):
        for variant in VARIANTS:
            runs[variant].append(measure(weights, variant))
    medians = {
        variant: {
            action: statistics.median(run[action] for run in measured)
            for action in ('READ', 'FORECAST')
        }
        for variant, measured in runs.items()
    }
    print(f'{"freed memory":14}{"READ ms":>10}{"FORECAST ms":>13}{"READ / FORECAST":>17}')
    for variant, values in medians.items():
        ratio = values['READ'] / values['FORECAST']
        print(f'{variant:14}{values["READ"]:10.1f}{values["FORECAST"]:13.1f}{ratio:17.1f}')
    for action in ('READ', 'FORECAST'):
        ratio = medians['given back'][action] / medians['kept'][action]
        print(f'{action}: given back costs {ratio:.2f} times as much')


if __name__ == '__main__':
    main()
