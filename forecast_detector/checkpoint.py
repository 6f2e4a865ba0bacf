"""Weights, configuration, labels and provenance in one safe file (safetensors)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
import json
import logging
from pathlib import Path
import tempfile

from safetensors import safe_open, SafetensorError
from safetensors.torch import save_file
import torch

from . import shipped
from .model.families import (
    AnyConfig,
    AnyNetwork,
    config_from_dict,
    config_to_dict,
    count_classes,
    make_network,
    outline,
)
from .types import WeightsError
from .weights_file import check_digest, DIGEST_KEY, Header, read_header, seal
from .writing import not_written

_logger = logging.getLogger(__name__)
CONFIG_KEY = 'forecast_detector.config'
SUFFIX = '.safetensors'
# Of norms; only training counts.
COUNTER = 'num_batches_tracked'


@dataclass(frozen=True)
class Checkpoint:
    """
    A network with its weights, ready to run.

    :ivar info: provenance: data, licence, recipe, figures; free text by key.
    :ivar sha256: of the file.
    """

    network: AnyNetwork
    config: AnyConfig
    info: Mapping[str, str]
    sha256: str
    path: Path


def find_weights(name: str | Path) -> Path:
    """
    Find a weights file by its path, or by the name of shipped weights (``coco``).

    :raises WeightsError: if there is none; lists the shipped ones.
    """
    try:
        return shipped.find('weights', name)
    except FileNotFoundError as error:
        raise WeightsError(str(error)) from error


def save_checkpoint(
    path: str | Path, network: AnyNetwork, info: Mapping[str, str] | None = None,
    half: bool = True,
) -> None:
    """
    Write a network.

    :param info: provenance to keep with the weights, text by key.
    :param half: whether convolutions are kept in half precision; norms and biases never are.
    :raises ValueError: for provenance that is not text.
    :raises OSError: names the file, if it cannot be written.
    """
    check_info(info or {})
    tensors = {
        key: value.detach().cpu().to(
            torch.float16 if half and value.ndim > 1 else value.dtype
        ).contiguous()
        for key, value in network.state_dict().items()
        if not key.endswith(COUNTER)
    }
    metadata = {CONFIG_KEY: json.dumps(config_to_dict(network.config)), **(info or {})}
    path = Path(path)
    try:
        with tempfile.TemporaryDirectory(prefix=f'.{path.name}.', dir=path.parent) as folder:
            plain, sealed = Path(folder) / 'plain', Path(folder) / 'sealed'
            save_file(tensors, str(plain), metadata)
            seal(plain, sealed)
            sealed.replace(path)
    except (OSError, SafetensorError) as error:
        raise not_written(path, error) from error


def check_info(info: Mapping[str, object]) -> None:
    """
    Check that provenance is text by text, which is all that a weights file can hold.

    :raises ValueError: names the key that is not.
    """
    for key, value in info.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ValueError(f'info: {key!r}: {value!r} is not text; put it in quotes')


def load_checkpoint(name: str | Path, sha256: str = '') -> Checkpoint:
    """
    Load weights by path or shipped name, in single precision on the CPU, ready to run.

    What the file claims is compared with the network before memory is taken for either.

    :param sha256: of the file, where only that one will do; '' takes any.
    :raises WeightsError: for a file that is missing, truncated, foreign, damaged or does not fit;
        says which and what to do.
    """
    path = find_weights(name)
    if path.suffix.lower() in ('.onnx', '.pth', '.pt'):
        raise WeightsError(
            f'{path}: not a {SUFFIX} file; of YOLOX weights make one first: forecast-detector '
            f'import {path.name} --out {path.stem}'
        )
    header = _header(path)
    metadata = dict(header.metadata)
    if CONFIG_KEY not in metadata:
        raise WeightsError(
            f'{path}: a {SUFFIX} file without a forecast_detector configuration: the weights '
            'of another program; use weights made by forecast-detector train'
        )
    with _fitting(path):
        config = config_from_dict(json.loads(metadata.pop(CONFIG_KEY)))
        _compare(config, header.shapes)
    found = check_digest(path, sha256)
    if metadata.pop(DIGEST_KEY, None) is None:
        _logger.warning(
            '%s: has no digest, so flipped bits would not show; weights written by this version '
            'have one', path)
    with _fitting(path):
        network = make_network(config)
        _load(network, _tensors(path))
    return Checkpoint(network.eval(), config, metadata, found.file, path)


def is_checkpoint(path: Path) -> bool:
    """Say whether a file is weights of this package, whatever its name; it need not be whole."""
    try:
        return CONFIG_KEY in read_header(path).metadata
    except (OSError, ValueError, RecursionError):
        return False


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """:raises WeightsError: for whatever does not fit."""
    try:
        yield
    except (ValueError, KeyError, TypeError, RuntimeError, ArithmeticError) as error:
        raise WeightsError(
            f'{path}: weights and configuration do not fit this version: {error}'
        ) from error


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f'{path}: not a readable {SUFFIX} file ({error}); it may be truncated or another '
        'format: fetch it again, or convert it'
    )


def _header(path: Path) -> Header:
    try:
        header = read_header(path)
        with safe_open(str(path), framework='pt'):  # whose bounds are those of the file
            return header
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(str(path), framework='pt') as file:
            return {key: file.get_tensor(key).float() for key in list(file.keys())}
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _compare(config: AnyConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """
    Compare tensors with those of the network: the same, but for counters that are not saved.

    :raises ValueError: names the first that differs.
    """
    own = outline(config)
    classes = count_classes(config, shapes)
    if classes is not None and classes != len(config.labels):
        raise ValueError(
            f'the weights were made for {classes:g} classes, the file lists '
            f'{len(config.labels)} labels; use the labels that they were trained with'
        )
    wrong = next((k for k, shape in shapes.items() if k in own and own[k] != shape), None)
    if wrong:
        raise ValueError(
            f'{wrong} is {shapes[wrong]} in the file and {own[wrong]} in the network; use weights '
            'trained by this version'
        )
    missing = [key for key in own if key not in shapes and not key.endswith(COUNTER)]
    unknown = [key for key in shapes if key not in own]
    if missing or unknown:
        raise ValueError(
            f'{len(missing)} tensors are missing (first: {missing[:1]}), '
            f'{len(unknown)} are unknown (first: {unknown[:1]})'
        )


def _load(network: AnyNetwork, tensors: dict[str, torch.Tensor]) -> None:
    """Load tensors that fit; :raises ValueError: for one that is not finite."""
    network.load_state_dict(tensors, strict=False)
    bad = [key for key, value in tensors.items() if not torch.isfinite(value).all()]
    if bad:
        raise ValueError(f'{len(bad)} tensors hold NaN or infinity (first: {bad[0]})')
