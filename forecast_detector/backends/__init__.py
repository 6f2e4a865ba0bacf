"""
What runs a network: PyTorch itself, or compiled functions behind the same seam.

``choice`` decides; ``parts`` are the functions of each family, exported by ``export``, kept by
``cache``, run by ``library``; ``yolox`` and ``ssdlite`` are networks made of them.
"""

from .choice import connect, Connected

__all__ = ['Connected', 'connect']
