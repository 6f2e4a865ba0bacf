"""Which device runs the model, and why: never a silent fallback."""

from __future__ import annotations

import torch

from .legible import legible


def select_device(name: str = 'auto') -> tuple[torch.device, str]:
    """
    Choose a device.

    :param name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    :returns: the device and a sentence that says the choice and the reason for it.
    :raises ValueError: for another name, or where the asked device is missing.
    """
    if name == 'cpu':
        return torch.device('cpu'), 'running on the CPU, as asked'
    if name == 'auto':
        try:
            if torch.cuda.is_available():
                torch.zeros(1, device='cuda')
                return torch.device('cuda'), f'running on {torch.cuda.get_device_name()}'
        except RuntimeError as error:
            # A driver that is there but does not fit must not stop a robot that has a CPU.
            return torch.device('cpu'), f'falling back to the CPU: CUDA failed ({error})'
        return torch.device('cpu'), 'running on the CPU: torch sees no CUDA device'
    kind, _, index = name.partition(':')
    if kind != 'cuda' or not (index == '' or index.isdigit()):
        raise ValueError(
            f"device: {legible(repr(name))} is none of 'auto', 'cpu', 'cuda', 'cuda:N'")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) >= count:
        raise ValueError(
            f"device: {name!r} was asked, torch {torch.__version__} sees {count} CUDA devices; "
            "check the driver and that torch is a CUDA build, or use 'auto' or 'cpu'"
        )
    return torch.device(name), f'running on {torch.cuda.get_device_name(torch.device(name))}'
