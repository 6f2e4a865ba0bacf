"""Checkpoints of PyTorch, read without running anything that is pickled in them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
import pickle
import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..types import WeightsError

# Where programs keep a state dict; a mean over the training, where there is one, detects best.
_KEYS = ('ema_model', 'model_ema', 'ema', 'module', 'model', 'state_dict')
# What wraps a network in training.
_PREFIXES = ('module.', 'model.', '_orig_mod.')
_EXPECTED = "expected is a state dict (tensors by name), or one under 'model'"


def read_torch(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """
    Read a state dict.

    :returns: tensors by the names of the network, and what else the file says, for provenance.
    :raises WeightsError: for a file that is none, is damaged, or holds pickled code.
    """
    try:
        with _numpy_scalars():
            content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(_refusal(path, error)) from error
    except Exception as error:
        # Whatever bytes may do to a parser, it is the file that is wrong.
        raise WeightsError(
            f'{path}: not a readable file of PyTorch weights ({type(error).__name__}): it is '
            'truncated or damaged, or TorchScript; fetch it again'
        ) from error
    tensors, key = _find(content)
    if not tensors:
        held = (
            f'a dict with {sorted(map(str, content))[:8]}' if isinstance(content, Mapping)
            else f'a {type(content).__name__}'
        )
        raise WeightsError(f'{path}: holds {held} and no weights in it; {_EXPECTED}')
    says = {'weights': key} if key else {}
    if isinstance(content, Mapping):
        says.update({
            str(name): str(value) for name, value in content.items()
            if isinstance(value, (str, int, float, np.number))
        })
    return _stripped(tensors), says


def _find(content: Any) -> tuple[dict[str, Tensor], str]:
    """Find the tensors, and the keys that they lie under."""
    if not isinstance(content, Mapping):
        return {}, ''
    for key in _KEYS:
        tensors, inner = _find(content.get(key))
        if tensors:
            return tensors, f'{key}.{inner}' if inner else key
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}, ''


def _stripped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off what all names begin with."""
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            return _stripped({name.removeprefix(prefix): v for name, v in tensors.items()})
    return tensors


def _refusal(path: Path, error: Exception) -> str:
    named = re.search(r'GLOBAL ([\w.]+\w)', str(error))
    if named is None:
        return f'{path}: not a file of PyTorch weights, or damaged; {_EXPECTED}'
    return (
        f'{path}: holds pickled objects ({named.group(1)}), and to load them would run code of '
        'the file; only tensors are read. In the program that made it, save the weights alone: '
        "torch.save({'model': model.state_dict()}, 'plain.pth')"
    )


def _numpy_scalars() -> AbstractContextManager[Any]:
    """Let plain numbers of NumPy be read: trainings keep their best score as one."""
    if tuple(map(int, torch.__version__.split('.')[:2])) < (2, 6):
        return nullcontext()
    scalar: Any = np.float64(0).__reduce__()[0]
    harmless: list[Any] = [type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8')]
    harmless += [(scalar, f'numpy.{core}.multiarray.scalar') for core in ('core', '_core')]
    allowed: AbstractContextManager[Any] = torch.serialization.safe_globals(
        [*harmless, np.dtype]
    )
    return allowed
