"""YOLOX networks of other programs, as weights of ours."""

from .convert import import_yolox, Imported

__all__ = ['Imported', 'import_yolox']
