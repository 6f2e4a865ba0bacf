"""
Choose what to install beside an installed ROS 2.

``select_requirements.py OUT FILE...`` reads requirement files and writes OUT/requirements.txt
(what cannot be imported yet) and OUT/constraints.txt (the lock file, with what is installed held
at its version: the distribution's compiled modules fit its own NumPy, not the pinned one).
"""

from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
import re
import sys

LOCK = Path(__file__).resolve().parent.parent / 'requirements-lock.txt'

# Where the module is not called what the distribution is.
MODULES = {
    'opencv-python-headless': 'cv2',
    'pytest-timeout': 'pytest_timeout',
    'pytest-xdist': 'xdist',
    'pyyaml': 'yaml',
    'scikit-video': 'skvideo',
    'types-pyyaml': 'types-PyYAML',
}
# Needed in the environment itself whatever the system has: editable installs want new ones, and so
# does onnx.
ALWAYS = {'pip', 'protobuf', 'setuptools'}


def normalize(name: str) -> str:
    """Spell a distribution's name as PEP 503 does."""
    return re.sub(r'[-_.]+', '-', name).lower()


def read_pins(path: Path) -> dict[str, str]:
    """:returns: normalized name to requirement line."""
    lines = (line.split('#')[0].strip() for line in path.read_text(encoding='utf-8').splitlines())
    return {normalize(line.split('==')[0]): line for line in lines if line}


def is_importable(name: str) -> bool:
    """Tell whether a distribution's module is there (apt's OpenCV has no distribution name)."""
    return find_spec(MODULES.get(name, name.replace('-', '_'))) is not None


def main() -> int:
    out, files = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    wanted = {name: line for path in files for name, line in read_pins(path).items()}
    missing = [
        line for name, line in wanted.items() if name in ALWAYS or not is_importable(name)
    ]
    installed = {normalize(d.metadata['Name']): d.version for d in distributions()}
    held = [
        f'{name}=={installed[name]}' if name in installed and name not in ALWAYS else line
        for name, line in read_pins(LOCK).items()
    ]
    (out / 'requirements.txt').write_text('\n'.join(missing) + '\n', encoding='utf-8')
    (out / 'constraints.txt').write_text('\n'.join(held) + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
