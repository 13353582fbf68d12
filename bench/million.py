"""Lists of signals for benches."""

from __future__ import annotations

import random
from pathlib import Path

MILLION = 1_000_000


def write_list(path: Path, lines: int, seed: int = 1) -> None:
    """Write plain lines, `pdq:` and 64 digits."""
    values = random.Random(seed).randbytes(32 * lines)
    with path.open("w") as file:
        file.writelines(f"pdq:{values[at : at + 32].hex()}\n" for at in range(0, len(values), 32))
