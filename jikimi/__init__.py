"""jikimi finds known abuse pictures at upload, opens the case, and accounts for every step.

As a library: `hash_file`, `open_index`, `compare`, and the values `Signal` and `Match`. They are loaded at first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jikimi.library import Match, compare, hash_file, open_index
    from jikimi.model.signal import Signal

__all__ = ["Match", "Signal", "compare", "hash_file", "open_index"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'jikimi' has no attribute {name!r}")
    return getattr(importlib.import_module("jikimi.model.signal" if name == "Signal" else "jikimi.library"), name)
