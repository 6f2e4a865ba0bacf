"""Weights are what they say: a digest in the file, and one that may be demanded."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
import torch

from forecast_detector.checkpoint import CONFIG_KEY, load_checkpoint
from forecast_detector.node import NodeConfig
from forecast_detector.types import WeightsError
from forecast_detector.weights_file import DIGEST_KEY, digests, read_header, seal

WEIGHTS = Path(__file__).parents[1] / 'weights'


def test_what_is_written_carries_its_digest(tiny_weights):
    found = digests(tiny_weights)
    assert found.stated == found.found
    assert found.file == hashlib.sha256(tiny_weights.read_bytes()).hexdigest()
    assert DIGEST_KEY not in load_checkpoint(tiny_weights).info
    assert oct(tiny_weights.stat().st_mode)[-3:] == '644'
    assert [path.name for path in tiny_weights.parent.iterdir()] == [tiny_weights.name]


@pytest.mark.parametrize('path', sorted(WEIGHTS.glob('*.safetensors')), ids=lambda p: p.stem)
def test_shipped_weights_carry_their_digest(path):
    found = digests(path)
    assert found.stated == found.found


def test_no_flipped_bit_loads(tiny_weights, tmp_path):
    data, path = tiny_weights.read_bytes(), tmp_path / 'flipped.safetensors'
    end = read_header(tiny_weights).end
    random = np.random.default_rng(0)
    places = [*random.integers(8, end, 40), *random.integers(end, len(data), 40)]
    for place in map(int, places):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        try:
            loaded = load_checkpoint(path)
        except WeightsError as error:
            assert str(path) in str(error)
        else:  # white space behind the header, at most
            assert chr(data[place]).isspace() and loaded.sha256


def test_a_flipped_bit_of_a_tensor_is_damage(tiny_weights, tmp_path):
    flipped, path = bytearray(tiny_weights.read_bytes()), tmp_path / 'flipped.safetensors'
    flipped[-100] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(WeightsError, match=r'flipped\.safetensors: damaged: its digest is'):
        load_checkpoint(path)


def test_a_file_without_a_digest_loads_with_a_note(tiny_weights, tmp_path, caplog):
    path = tmp_path / 'older.safetensors'
    config = read_header(tiny_weights).metadata[CONFIG_KEY]
    save_file(load_file(tiny_weights), str(path), {CONFIG_KEY: config})
    with caplog.at_level(logging.WARNING):
        assert load_checkpoint(path).config == load_checkpoint(tiny_weights).config
    assert [record.getMessage() for record in caplog.records if 'no digest' in record.getMessage()
            and str(path) in record.getMessage()]


def test_sealing_leaves_the_tensors_as_they_are(tiny_weights, tmp_path):
    older, sealed = tmp_path / 'older.safetensors', tmp_path / 'sealed.safetensors'
    metadata = {'note': 'ä "quoted"', 'z': '', 'a': '\n'}
    tensors = {
        'b': torch.arange(5, dtype=torch.float16), 'a': torch.rand(3, 2), 'c': torch.ones(0),
    }
    save_file(tensors, str(older), metadata)
    seal(older, sealed)
    found = load_file(sealed)
    assert all(torch.equal(found[k], v) and found[k].dtype == v.dtype for k, v in tensors.items())
    header = read_header(sealed)
    assert {k: v for k, v in header.metadata.items() if k != DIGEST_KEY} == metadata
    assert older.read_bytes()[read_header(older).end:] == sealed.read_bytes()[header.end:]
    assert digests(sealed).stated == digests(older).found


def test_only_the_demanded_weights_load(tiny_weights):
    right = hashlib.sha256(tiny_weights.read_bytes()).hexdigest()
    assert load_checkpoint(tiny_weights, right.upper()).sha256 == right
    with pytest.raises(WeightsError, match='weights_sha256 demands 000000000000.*other weights'):
        load_checkpoint(tiny_weights, '0' * 64)


@pytest.mark.parametrize('text', ['abc', 'z' * 64, '0' * 63, '0' * 65, 'sha256:' + '0' * 64])
def test_what_is_demanded_has_to_be_a_digest(text):
    with pytest.raises(ValueError, match='is no SHA-256; expected 64 hexadecimal digits'):
        NodeConfig(weights_sha256=text)
    assert NodeConfig(weights_sha256='a' * 64)
