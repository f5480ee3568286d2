"""arviz, imported in the one way that is safe here."""

from __future__ import annotations

import os
import tempfile
import warnings
from types import ModuleType


def load_arviz() -> ModuleType:
    """The arviz module, with its numba path off and its notice about version 1 silenced.

    With numba at hand arviz 0.23 raises in ``mcse(method="sd")`` and returns arrays of length 1 from
    ``mcse(method="mean")`` under numpy ≥ 2.4.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*ArviZ is undergoing a major refactor", FutureWarning)
        try:
            import arviz
        except OSError:
            arviz = _import_with_writable_cache()
    arviz.Numba.disable_numba()
    return arviz


def _import_with_writable_cache() -> ModuleType:
    # arviz 0.23 writes a stamp to the user's cache folder at import, and cannot be imported where that is read-only.
    kept = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            import arviz
        finally:
            if kept is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = kept
    return arviz
