"""YOLOX networks of other programs, as weights of ours."""

from .convert import Imported, import_yolox

__all__ = ['Imported', 'import_yolox']
