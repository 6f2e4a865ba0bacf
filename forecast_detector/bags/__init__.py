"""Bags (rosbag2, MCAP or SQLite) read and written without ROS."""

from .reader import BagError, BagReader, Record
from .writer import BagWriter

__all__ = ['BagError', 'BagReader', 'BagWriter', 'Record']
