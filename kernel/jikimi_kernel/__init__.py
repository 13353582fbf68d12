"""The inner loops of jikimi in C++: exact search of perceptual hashes, and PDQ.

Nothing is decided here: `jikimi.engine` uses this module when it is installed, and NumPy when it is not.
"""

from __future__ import annotations

from pathlib import Path


def box() -> Path | None:
    """The fork server for plain JPEGs, where this build has one."""
    program = Path(__file__).with_name("jikimi-box")
    return program if program.exists() else None


def features() -> dict[str, str]:
    """What this build has and which instructions it uses, for `jikimi doctor`."""
    from jikimi_kernel import pdq, search

    return {"search": search.level(), "pdq": pdq.level(), "jpeg": pdq.jpeg_version() or "none"}
