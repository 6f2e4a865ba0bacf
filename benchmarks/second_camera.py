"""
What a second camera costs on the same detector, and a third and a fourth.

    .venv/bin/python benchmarks/second_camera.py coco [--threads 2]

Steps of one, two and four streams take turns in one process, all READ, all FORECAST, and all
FORECAST with carried boxes (policy `scheduled_flow`); medians. What a camera costs is a share of
what the first one does.
"""

import argparse

from forecast_detector.benchmark.backend import CARRIED, Contestant, FORECAST, READ, Stepper
from forecast_detector.benchmark.clock import Clock
from forecast_detector.benchmark.pictures import IMAGE, pan
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.threads import use_threads

STREAMS = (1, 2, 4)
KINDS = {'READ': READ, 'FORECAST': FORECAST, 'FORECAST, boxes carried': CARRIED}
ROUNDS = 44


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('weights')
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    use_threads(options.threads)
    contestant = Contestant.make(load_checkpoint(options.weights), 'cpu', 'auto')
    contestant.prepare(max(STREAMS))
    clock, images = Clock(), pan(IMAGE)
    steppers = [
        Stepper(contestant.detector, config, clock, f'{kind} {streams}', streams)
        for kind, config in KINDS.items() for streams in STREAMS
    ]
    for _ in range(ROUNDS):
        for stepper in steppers:
            stepper.step(images)
    print('| all streams | one, ms | the second costs | the third and fourth each |\n'
          '|---|---|---|---|')
    for kind in KINDS:
        one, two, four = (clock.times(f'{kind} {streams}').p50 for streams in STREAMS)
        print(f'| {kind} | {one:.1f} | {(two - one) / one:.2f} | {(four - two) / 2 / one:.2f} |')


if __name__ == '__main__':
    main()
