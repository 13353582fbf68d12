"""Exact search of 256-bit values within a radius; see `include/jikimi/multi_index.h` for what each thing means."""

from jikimi_kernel._native import (
    MultiIndex,
    arrange,
    checksum,
    choose_widths,
    fill,
    gather,
    level,
    levels,
    scan,
    use_level,
)

__all__ = [
    "MultiIndex",
    "arrange",
    "checksum",
    "choose_widths",
    "fill",
    "gather",
    "level",
    "levels",
    "scan",
    "use_level",
]
