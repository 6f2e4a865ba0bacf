"""What several test modules share: samples, and what makes them."""

import json

from forecast_detector.cli.command import parse
from forecast_detector.cli.evaluate import Evaluate


def run(root, *options):
    """Run the command; returns its exit status and its JSON."""
    command = parse(Evaluate, [
        '--dataset', 'coco_vid', '--root', str(root), '--json', str(root / 'out.json'),
        *map(str, options),
    ])
    return command.run(), json.loads((root / 'out.json').read_text())
