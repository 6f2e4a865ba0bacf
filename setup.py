"""
Plain ``pip install .``: the core and the commands, no ROS needed.

colcon does not read this file (CMakeLists.txt serves it); both share setup.cfg.
"""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent

# A ROS package keeps these folders at its top. Inside the distribution they become data folders
# of the Python package, so that they are found after any kind of pip install (data_files would
# land in different places for --user, --target and editable ones).
FOLDERS = {
    'config': 'forecast_detector._config',
    'launch': 'forecast_detector._launch',
    'weights': 'forecast_detector.weights',
}
present = {folder: package for folder, package in FOLDERS.items() if (ROOT / folder).is_dir()}

setup(
    packages=[
        *find_packages(include=['forecast_detector', 'forecast_detector.*']),
        *present.values(),
    ],
    package_dir={package: folder for folder, package in present.items()},
    package_data={
        'forecast_detector': ['py.typed'], 'forecast_detector.report': ['templates/*'],
        **{p: ['**/*'] for p in present.values()},
    },
)
