"""`python -m tests.fuzz [--seconds N] [--seed S] [--only NAME]`: exit code 1 and a file if an input did harm."""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tests.fuzz.feeds import Feeds
from tests.fuzz.lists import Lists
from tests.fuzz.pictures import Pictures


class Target(Protocol):
    """Something that reads what strangers wrote."""

    name: str

    def inputs(self, chance: random.Random) -> Iterator[bytes]: ...
    def problem_with(self, content: bytes) -> str: ...
    def close(self) -> None: ...


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--only", choices=[Pictures.name, Lists.name, Feeds.name])
    parser.add_argument("--folder", type=Path, default=Path(), help="where an input that did harm is kept")
    options = parser.parse_args()
    targets: list[type[Target]] = [kind for kind in (Lists, Feeds, Pictures) if options.only in (None, kind.name)]
    found = 0
    for kind in targets:
        found += _throw(kind(), options.seed, options.seconds / len(targets), options.folder)
    return 1 if found else 0


def _throw(target: Target, seed: int, seconds: float, folder: Path) -> int:
    """Throw inputs at a target until the time is over or one does harm; how many did."""
    print(f"{target.name}: seed {seed}, {seconds:.0f} s", flush=True)
    end = time.monotonic() + seconds
    thrown = 0
    try:
        for content in target.inputs(random.Random(seed)):
            if time.monotonic() > end:
                break
            thrown += 1
            if problem := _problem(target, content):
                file = folder / f"fuzz-{target.name}-{seed}-{thrown}"
                file.write_bytes(content)
                print(f"{target.name}: input {thrown}: {problem}\nkept in {file}", file=sys.stderr)
                return 1
    finally:
        target.close()
    print(f"{target.name}: {thrown} inputs, no harm")
    return 0


def _problem(target: Target, content: bytes) -> str:
    try:
        return target.problem_with(content)
    except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
        return traceback.format_exc()


if __name__ == "__main__":
    sys.exit(main())
