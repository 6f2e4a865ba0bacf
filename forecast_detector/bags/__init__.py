"""Bags (rosbag2, MCAP or SQLite) read and written without ROS."""

from .reader import BagError, BagReader, MessageError, Record
from .writer import BagWriter

__all__ = ['BagError', 'BagReader', 'BagWriter', 'MessageError', 'Record']
