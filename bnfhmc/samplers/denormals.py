"""Numbers below 2e-308 are kept: XLA runs host callbacks with the processor told to flush them to zero.

A likelihood that is finite everywhere else is then −inf at a few points (1/Γ(171.4) is such a number on the way to a beta
function), which would cut holes into a posterior. C99's fesetenv(FE_DFL_ENV) puts the thread's floating point back.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections.abc import Callable


def _default_environment() -> Callable[[], object]:
    """A call that restores the default floating-point environment; does nothing where the C library cannot be reached."""
    try:
        library = ctypes.CDLL(ctypes.util.find_library("m") or None)
        fesetenv = library.fesetenv
        if sys.platform == "darwin":
            default = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(library, "_FE_DFL_ENV")))
        else:
            default = ctypes.c_void_p(-1)  # FE_DFL_ENV of glibc and musl
    except (OSError, AttributeError, ValueError):
        return lambda: None
    return lambda: fesetenv(default)


keep_denormals = _default_environment()
