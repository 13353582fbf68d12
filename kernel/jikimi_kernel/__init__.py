"""The inner loops of jikimi in C++: exact search of perceptual hashes, and PDQ.

Nothing is decided here: `jikimi.engine` uses this module when it is installed, and NumPy when it is not.
"""


def features() -> dict[str, str]:
    """What this build has and which instructions it uses, for `jikimi doctor`."""
    from jikimi_kernel import pdq, search

    return {"search": search.level(), "pdq": pdq.level(), "jpeg": pdq.jpeg_version() or "none"}
