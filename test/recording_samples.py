"""What several test modules share: samples, and what makes them."""

from pathlib import Path
import sqlite3

import numpy as np

from forecast_detector.bags import BagWriter
from forecast_detector.types import Detections

ROOT = Path(__file__).resolve().parents[1]


STEP_NS = 100_000_000


LABELS = ('bolt', 'nut')


def one(box, label, score=1.0):
    """Return a single detection."""
    return Detections(np.array([box], np.float32), np.array([score], np.float32),
                      np.array([label], np.int64))


def flat(value):
    """Return a flat 32x24 image."""
    return np.full((24, 32, 3), value, np.uint8)


def write_bag(path, storage='mcap', frames=6, truth='/cam/truth', jpeg=None, shift_ns=0):
    """Write flat images 0, 10, 20, … at 10 Hz, an object in each that moves by a pixel."""
    with BagWriter(path, storage) as bag:
        for k in range(frames):
            stamp_ns = 5_000_000_000 + k * STEP_NS
            bag.image('/cam/image_raw', flat(10 * k), stamp_ns, 'lens', jpeg_quality=jpeg)
            if truth:
                bag.detections(truth, one([k, 2, k + 10, 12], k % 2), LABELS,
                               stamp_ns + shift_ns, 'lens', tracks=[7])
    return path


def make_folder(folder):
    """Three bags that can be used (25, 4 and 5 images) among six that cannot."""
    folder.mkdir()
    write_bag(folder / 'a_raw', 'sqlite3', frames=25)
    (folder / 'b_text.mcap').write_text('no bag')
    write_bag(folder / 'jpeg', frames=4, jpeg=95)
    (folder / 'jpeg' / 'jpeg.mcap').rename(folder / 'c_jpeg.mcap')
    (folder / 'jpeg' / 'metadata.yaml').unlink()
    (folder / 'jpeg').rmdir()
    cut = write_bag(folder / 'd_cut', frames=25) / 'd_cut.mcap'
    cut.write_bytes(cut.read_bytes()[:cut.stat().st_size // 2])
    with BagWriter(folder / 'e_empty') as bag:
        bag.detections('/cam/truth', one([1, 2, 11, 12], 0), LABELS, 0)
    # Two images before the first truth: not annotated.
    with BagWriter(folder / 'f_late') as bag:
        for k in range(5):
            bag.image('/cam/image_raw', flat(10 * k), k * STEP_NS)
            if k >= 2:
                bag.detections('/cam/truth', one([k, 2, k + 10, 12], 0), LABELS, k * STEP_NS)
    with BagWriter(folder / 'g_other') as bag:
        bag.image('/rear/image_raw', flat(0), 0)
    make_unknown(write_bag(folder / 'h_unknown', 'sqlite3', truth=None))
    with BagWriter(folder / 'i_foreign') as bag:
        bag.image('/cam/image_raw', flat(0), 0)
        bag.detections('/cam/truth', one([1, 2, 11, 12], 0), ('whale',), 0)
    return folder


def make_unknown(path):
    """Give the images of an SQLite bag a type that nobody knows."""
    metadata = path / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('sensor_msgs/msg/Image', 'my_msgs/msg/Photo'))
    with sqlite3.connect(path / 'h_unknown.db3') as database:
        database.execute("UPDATE topics SET type = 'my_msgs/msg/Photo'")
