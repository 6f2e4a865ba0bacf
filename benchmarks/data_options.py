"""Weights and a data set on the command line, as several of these programs take them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from forecast_detector.data.base import ClipDataset
from forecast_detector.data.registry import open_dataset, Place


def data_parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser of ``WEIGHTS DATASET [ROOT] [--split SPLIT] [--stride K]``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('weights')
    parser.add_argument('dataset')
    parser.add_argument('root', nargs='?')
    parser.add_argument('--split')
    parser.add_argument('--stride', type=int, default=1)
    return parser


def opened(options: argparse.Namespace, labels: Sequence[str]) -> ClipDataset:
    """
    Open the data set.

    :param labels: class names of the weights.
    """
    place = Place(options.root, labels=tuple(labels))
    if options.split is not None:  # else the data sets' usual one
        place = replace(place, split=options.split)
    return open_dataset(options.dataset, place, options.stride)
