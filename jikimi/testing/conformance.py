"""Whether a connector keeps the promises of its port: named checks with advice, for built-in and other kinds alike.

    for check in check_connector(Acme, AcmeSimulator, web):
        print(check.name, check.passed, check.advice)

`jikimi plug check NAME` runs it. A connector is tried against a simulator, which its package brings along; nothing is
asked outside this machine. Every check begins with a new simulator, so that they do not depend on each other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from jikimi.model.errors import JikimiError
from jikimi.ports.exchanges import Connector
from jikimi.testing import promises, promises_in_trouble
from jikimi.testing.trial import MANY, FailedError, Simulator, Subject, Webs

__all__ = ["NAMES", "Check", "Simulator", "check_connector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How a check came out. `advice` says what to do where it failed."""

    name: str
    passed: bool
    advice: str = ""


def check_connector(
    connector: type[Connector],
    simulator: Callable[[], Simulator],
    webs: Webs,
    *,
    many: int = MANY,
    only: Collection[str] = (),
) -> Iterator[Check]:
    """Run the checks; the later ones are run although earlier ones failed.

    `many`: records of a long list; `only`: names of the checks to run, all without.
    """
    subject = Subject(connector=connector, simulator=simulator, webs=functools.cache(webs), many=many)
    for check in _CHECKS:
        if not only or _name(check) in only:
            advice = _advice(check, subject)
            yield Check(name=_name(check), passed=not advice, advice=advice)


def _advice(check: Callable[[Subject], None], subject: Subject) -> str:
    """What to do so that a check passes; nothing where it does."""
    try:
        check(subject)
    except FailedError as failed:
        return str(failed)
    except JikimiError as error:
        return f"The connector stopped: {error.message} [{error.code}]"
    except Exception as error:  # noqa: BLE001 - a foreign connector may raise anything, and that is the finding
        return f"{type(error).__name__} came out; only Refused, Unavailable and CheckpointStaleError may."
    return ""


def _name(check: Callable[[Subject], None]) -> str:
    """The first line of what the check says of itself."""
    return (check.__doc__ or "").partition("\n")[0].strip(" .")


_CHECKS: Sequence[Callable[[Subject], None]] = (
    promises.form,
    promises.promised,
    promises.hosts,
    promises.whole,
    promises.nothing_new,
    promises.changes,
    promises.withdrawals,
    promises.interruption,
    promises.keys,
    promises.times,
    promises.time_zones,
    promises_in_trouble.no_answer,
    promises_in_trouble.broken_pages,
    promises_in_trouble.denied,
    promises_in_trouble.bad_value,
    promises_in_trouble.strange_checkpoint,
    promises.feedback,
    promises.feedback_not_given,
    promises.memory,
)

NAMES = tuple(_name(check) for check in _CHECKS)
"""All checks, in their order."""
