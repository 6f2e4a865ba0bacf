"""Real-time video object detection by feature map forecast, as a ROS 2 package."""

from importlib import import_module
from pkgutil import extend_path
from typing import Any, TYPE_CHECKING

from .threads import wait_passively

if TYPE_CHECKING:
    from .checkpoint import load_checkpoint as load_checkpoint
    from .config import StreamConfig as StreamConfig
    from .engine import StreamingDetector as StreamingDetector
    from .types import Frame as Frame

__version__ = '0.1.0'
__all__ = ['Frame', 'StreamConfig', 'StreamingDetector', 'load_checkpoint']

# Before PyTorch is loaded, by whichever part of the package.
wait_passively()

# Where each public name lives. Loaded when asked for: most commands do without PyTorch, and
# importing it takes seconds.
_PUBLIC = {
    'Frame': 'types', 'StreamConfig': 'config', 'StreamingDetector': 'engine',
    'load_checkpoint': 'checkpoint',
}

# The generated messages (forecast_detector.msg) live in the install space. When the
# package runs from its source tree, this joins the two halves.
__path__ = extend_path(__path__, __name__)


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name not in _PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_PUBLIC[name]}'), name)
