"""The families of detectors: what a weights file may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..config import model_config_from_dict, ModelConfig, to_dict
from .network import ForecastNetwork
from .yolox.config import yolox_config_from_dict, YoloxConfig
from .yolox.network import YoloxNetwork

AnyConfig = ModelConfig | YoloxConfig
AnyNetwork = ForecastNetwork | YoloxNetwork
# The paper's family came first: its files name none.
FAMILY_KEY = 'family'
YOLOX = 'yolox'


def config_to_dict(config: AnyConfig) -> dict[str, Any]:
    """Turn the shape of a network into plain values, with its family."""
    values = to_dict(config)
    return {FAMILY_KEY: YOLOX, **values} if isinstance(config, YoloxConfig) else values


def config_from_dict(values: Mapping[str, Any]) -> AnyConfig:
    """
    Rebuild the shape of a network of any family.

    :raises ValueError: for a family, a key or a value that is not known.
    """
    values = dict(values)
    family = values.pop(FAMILY_KEY, None)
    if family is None:
        return model_config_from_dict(values)
    if family != YOLOX:
        raise ValueError(f'{FAMILY_KEY}: {family!r} is not known; {YOLOX} is')
    return yolox_config_from_dict(values)


def make_network(config: AnyConfig) -> AnyNetwork:
    """Make an untrained network of the family that its shape belongs to."""
    if isinstance(config, YoloxConfig):
        return YoloxNetwork(config)
    return ForecastNetwork(config)


class _Unfilled(TorchFunctionMode):
    """Leaves tensors as they are where a layer would fill them with its first values."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name, values = getattr(func, '__name__', ''), kwargs or {}
        if name.endswith('_') and not name.endswith('__'):  # in place
            return args[0] if args else values['tensor']  # as torch.nn.init names it
        return func(*args, **values)


def outline(config: AnyConfig) -> dict[str, tuple[int, ...]]:
    """List the shapes of a network's tensors by name; no memory is taken for them."""
    with torch.device('meta'), _Unfilled():
        tensors = make_network(config).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def count_classes(config: AnyConfig, shapes: Mapping[str, tuple[int, ...]]) -> float | None:
    """
    Count the classes that weights were made for.

    :param shapes: of their tensors, by name.
    :returns: None if they have no such layer.
    """
    yolox = isinstance(config, YoloxConfig)
    name = 'head.cls_preds.0.weight' if yolox else 'head.classification.0.1.weight'
    if name not in shapes:
        return None
    if isinstance(config, YoloxConfig):
        return shapes[name][0]
    return shapes[name][0] / config.anchors.per_cell(0) - 1
