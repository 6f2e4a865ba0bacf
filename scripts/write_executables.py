"""
Write one small executable for each console script of setup.cfg.

``write_executables.py setup.cfg OUT`` writes OUT/lib/NAME for nodes (``*_node``, which
``ros2 run`` looks for in lib/<package>) and OUT/bin/NAME for commands. Each runs with the
interpreter that runs this script, so that ``ros2 run`` uses the Python that colcon was given.
"""

import configparser
from pathlib import Path
import sys

SHEBANG_LIMIT = 127  # the oldest supported kernels cut a longer first line

TEMPLATE = """{shebang}
import sys

from {module} import {function}

sys.exit({function}())
"""


def read_console_scripts(setup_cfg: Path) -> dict[str, tuple[str, str]]:
    """
    Read the console scripts of setup.cfg.

    :returns: name to (module, function).
    """
    parser = configparser.ConfigParser()
    parser.read(setup_cfg, encoding='utf-8')
    lines = parser['options.entry_points']['console_scripts'].strip().splitlines()
    scripts = {}
    for line in lines:
        name, target = (part.strip() for part in line.split('=', 1))
        module, function = target.split(':')
        scripts[name] = (module, function)
    return scripts


def shebang(python: str) -> str:
    """Return the first lines of an executable; via sh where the kernel could not read them."""
    if ' ' in python or len(python) + 2 > SHEBANG_LIMIT:
        return f"""#!/bin/sh\n'''exec' "{python}" "$0" "$@"\n' '''"""
    return f'#!{python}'


def main() -> int:
    setup_cfg, out = Path(sys.argv[1]), Path(sys.argv[2])
    for name, (module, function) in read_console_scripts(setup_cfg).items():
        path = out / ('lib' if name.endswith('_node') else 'bin') / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = TEMPLATE.format(shebang=shebang(sys.executable), module=module, function=function)
        path.write_text(text, encoding='utf-8')
        path.chmod(0o755)
    return 0


if __name__ == '__main__':
    sys.exit(main())
