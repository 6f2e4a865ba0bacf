"""
What runs a network: PyTorch itself, or compiled functions behind the same seam.

``choice`` decides. For OpenVINO ``parts`` are the functions of each family, exported by
``export``, kept by ``cache``, run by ``library``; ``yolox`` and ``ssdlite`` are networks made of
them. For GPUs ``graphs`` captures functions, and ``graphed`` are networks made of these.
"""

import sys

# OpenVINO would report its import to its makers, over the network, and keep count in the user's
# home. Where it finds no telemetry, it reports nothing.
sys.modules.setdefault('openvino_telemetry', None)  # type: ignore[arg-type]

from .choice import connect, Connected  # noqa: E402

__all__ = ['Connected', 'connect']
