"""Weights, configuration, labels and provenance in one safe file (safetensors)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path

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
)
from .types import WeightsError

CONFIG_KEY = 'forecast_detector.config'
SUFFIX = '.safetensors'


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
    """
    check_info(info or {})
    tensors = {
        key: value.detach().cpu().to(
            torch.float16 if half and value.ndim > 1 else value.dtype
        ).contiguous()
        for key, value in network.state_dict().items()
        if not key.endswith('num_batches_tracked')
    }
    metadata = {CONFIG_KEY: json.dumps(config_to_dict(network.config)), **(info or {})}
    scratch = Path(path).with_suffix('.tmp')
    save_file(tensors, str(scratch), metadata)
    scratch.chmod(0o644)  # safetensors leaves it to the owner alone; weights are to be shared
    scratch.replace(path)


def check_info(info: Mapping[str, object]) -> None:
    """
    Check that provenance is text by text, which is all that a weights file can hold.

    :raises ValueError: names the key that is not.
    """
    for key, value in info.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ValueError(f'info: {key!r}: {value!r} is not text; put it in quotes')


def load_checkpoint(name: str | Path) -> Checkpoint:
    """
    Load weights by path or shipped name, in single precision on the CPU, ready to run.

    :raises WeightsError: for a file that is missing, truncated, foreign or does not fit; says
        which and what to do.
    """
    path = find_weights(name)
    if path.suffix.lower() in ('.onnx', '.pth', '.pt'):
        raise WeightsError(
            f'{path}: not a {SUFFIX} file; of YOLOX weights make one first: forecast-detector '
            f'import {path.name} --out {path.stem}'
        )
    try:
        with safe_open(str(path), framework='pt') as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key).float() for key in list(file.keys())}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f'{path}: not a readable {SUFFIX} file ({error}); it may be truncated or another '
            'format: fetch it again, or convert it'
        ) from error
    if CONFIG_KEY not in metadata:
        raise WeightsError(
            f'{path}: a {SUFFIX} file without a forecast_detector configuration: the weights '
            'of another program; use weights made by forecast-detector train'
        )
    try:
        config = config_from_dict(json.loads(metadata.pop(CONFIG_KEY)))
        network = make_network(config)
        _load(network, tensors)
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f'{path}: weights and configuration do not fit this version: {error}'
        ) from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Checkpoint(network.eval(), config, metadata, digest, path)


def _load(network: AnyNetwork, tensors: dict[str, torch.Tensor]) -> None:
    """Load strictly, but for the counters that are not saved."""
    own = network.state_dict()
    wrong = [k for k, value in tensors.items() if k in own and own[k].shape != value.shape]
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    classes = count_classes(network.config, shapes)
    if classes is not None and classes != len(network.config.labels):
        raise ValueError(
            f'the weights were made for {classes:g} classes, the file lists '
            f'{len(network.config.labels)} labels; use the labels that they were trained with'
        )
    if wrong:
        raise ValueError(
            f'{wrong[0]} is {tuple(tensors[wrong[0]].shape)} in the file and '
            f'{tuple(own[wrong[0]].shape)} in the network; use weights trained by this version'
        )
    result = network.load_state_dict(tensors, strict=False)
    missing = [key for key in result.missing_keys if not key.endswith('num_batches_tracked')]
    if missing or result.unexpected_keys:
        raise ValueError(
            f'{len(missing)} tensors are missing (first: {missing[:1]}), '
            f'{len(result.unexpected_keys)} are unknown (first: {result.unexpected_keys[:1]})'
        )
    bad = [key for key, value in tensors.items() if not torch.isfinite(value).all()]
    if bad:
        raise ValueError(f'{len(bad)} tensors hold NaN or infinity (first: {bad[0]})')
