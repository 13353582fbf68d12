"""The promises of a connector in trouble: silence, rubbish, denials, broken records. Nothing is lost, nothing told."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import CheckpointStaleError
from jikimi.model.form import fields_of
from jikimi.ports.exchanges import Got
from jikimi.testing.trial import Bench, FailedError, State, Subject, must
from jikimi.testing.trouble import Bend

_TELLING = 12
"""Digits of a value that would give it away."""


def no_answer(subject: Subject) -> None:
    """No answer is not an empty list.

    429, 5xx and hanging hosts, at every request of a pull in turn.
    """
    with subject.open() as bench:
        bench.pull(State())
        for at in range(1, min(len(bench.web.asked), 8) + 1):
            _troubled(bench, f"There was no answer to request {at}", fails_at=at)


_BROKEN: Mapping[str, Bend] = {
    "half a page": lambda got: dataclasses.replace(got, body=got.body[: len(got.body) // 2] + b'<}"\xff'),
    "a page of another site": lambda got: dataclasses.replace(got, body=b"<!doctype html><title>Sign in</title>"),
    "a page that is no text": lambda got: dataclasses.replace(got, body=b"\x00\xff\xfe" * 50),
}


def broken_pages(subject: Subject) -> None:
    """A broken page is not half a page."""
    with subject.open() as bench:
        bench.pull(State())
        for name, bend in _BROKEN.items():
            for at in range(1, min(len(bench.web.asked), 4) + 1):
                _troubled(bench, f"Request {at} was answered with {name}", bends=bend, bends_at=at)


def _troubled(bench: Bench, what: str, **trouble: Any) -> None:
    """Pull in trouble, which has to be said, and then without; nothing may be lost."""
    state = State()
    try:
        bench.pull(state, **trouble)
    except (Unavailable, Refused) as error:
        _must_keep_quiet(bench, error.message)
    else:
        raise FailedError(f"{what}, and the pull ended as if all were well; raise Unavailable.")
    bench.pull(state)
    bench.expect(state)


def _must_keep_quiet(bench: Bench, text: str) -> None:
    config = bench.subject.connector.Config
    secrets = {str(bench.simulator.settings.get(field.name, "")) for field in fields_of(config) if field.secret}
    must(not any(secret and secret in text for secret in secrets), "A message holds a credential.")
    values = {listed.partition(":")[2] for listed in bench.simulator.listed()}
    must(not any(one in values for one in re.findall("[0-9a-f]{32,}", text.lower())), "A message holds a hash.")


def denied(subject: Subject) -> None:
    """A denial is told without credentials.

    A programme that says no and quotes what it was sent.
    """
    with subject.open() as bench:
        quoted = " ".join(map(str, bench.simulator.settings.values())).encode()
        for status in (400, 401, 403, 404):
            _troubled(bench, f"The answer was {status}", bends=_denial(status, quoted))


def _denial(status: int, quoted: bytes) -> Bend:
    return lambda got: Got(status=status, headers={}, body=b'{"error": "' + quoted + b'"}')


def bad_value(subject: Subject) -> None:
    """A broken record is passed over and named.

    A record that cannot be read: its page goes on, and nobody gets to see its value.
    """
    with subject.open() as bench:
        text = sorted(bench.simulator.listed())[len(bench.simulator.listed()) // 2]
        mangle = _mangler(text.partition(":")[2])
        state = State()
        try:
            bench.pull(state, bends=mangle)
        except (Unavailable, Refused) as error:  # a page that is signed or sealed cannot be read in part
            _must_keep_quiet(bench, error.message)
            return
        if not bench.web.bent:
            return
        missing = bench.simulator.listed() - state.signals()
        must(missing == {text}, f"One record was broken, and {len(missing)} are missing; pass over that one only.")
        faults = [fault for page in state.pages for fault in page.faults]
        must(bool(faults), "A record that cannot be read is passed over in silence; name it in the page's faults.")
        told = " ".join(faults).lower()
        parts = {text[at : at + _TELLING] for at in range(text.index(":") + 3, len(text) - _TELLING)}
        must(not any(part in told for part in parts), "A fault holds a value; name the key.")


def _mangler(value: str) -> Bend:
    pattern = re.compile(re.escape(value.encode()), re.IGNORECASE)
    return lambda got: dataclasses.replace(got, body=pattern.sub(b"zz" + value[2:].encode(), got.body))


def strange_checkpoint(subject: Subject) -> None:
    """A strange checkpoint begins anew."""
    with subject.open() as bench:
        for checkpoint in ("what is this", "{}", "0,0,0", "\ud83d\x00"):
            state = State()
            state.checkpoint = checkpoint
            try:
                bench.pull(state)
            except (CheckpointStaleError, Refused):
                continue
            bench.expect(state)
