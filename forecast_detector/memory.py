"""Keep freed memory for the next frame: on the CPU, page faults can cost more than arithmetic."""

from __future__ import annotations

import ctypes

# mallopt's parameters, from glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4
_TOP_PAD_BYTES = 64 << 20
_NEVER = 2**31 - 1
# The most that glibc takes for a threshold; maps of a step are smaller.
_HUGE_BYTES = 32 << 20


def keep_freed_memory(huge: bool = True) -> bool:
    """
    Tell glibc to keep what is freed instead of giving it back to the system.

    By default every large tensor is mapped anew and its pages fault in one by one, at every
    layer of every frame. Call it once, before the first large allocation.

    :param huge: whether also what is larger than 32 MB. Batches of training are; in a node that
        runs for days it is a picture that somebody sent once, which leaves its place in pieces.
    :returns: whether it took effect; other C libraries have no such setting.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = (
        (_M_MMAP_MAX, 0) if huge else (_M_MMAP_THRESHOLD, _HUGE_BYTES),
        (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _TOP_PAD_BYTES),
    )
    return all(mallopt(ctypes.c_int(key), ctypes.c_int(value)) == 1 for key, value in settings)
