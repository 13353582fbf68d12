"""The promises of a connector where nothing goes wrong: its form, its pulls, what it gives back, its thrift."""

from __future__ import annotations

import os
import re
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from jikimi.model.errors import Refused
from jikimi.model.exchange import Feedback, SourceRecord
from jikimi.model.form import fields_of
from jikimi.model.signal import Signal
from jikimi.ports.exchanges import Opined
from jikimi.testing.trial import Bench, FailedError, State, Subject, must

_A_RECORD = 300
"""Bytes of memory for each record of a long list. Whoever collects them needs several times as much."""
_AT_REST = 16 << 20
_SECRET = re.compile(r"key|token|password|passphrase|secret", re.IGNORECASE)
_ZONES = ("UTC", "Asia/Seoul", "America/Los_Angeles")


def form(subject: Subject) -> None:
    """The form has help and hides credentials."""
    config = subject.connector.Config
    must(_is_frozen(config), "Make Config a frozen dataclass.")
    for field in fields_of(config):
        must(bool(field.help), f"Say what {field.name} is: setting('…').")
        is_marked = field.secret or not _SECRET.search(field.name)
        must(is_marked, f"{field.name} sounds like a credential: setting(…, secret=True).")


def _is_frozen(config: type) -> bool:
    return bool(getattr(getattr(config, "__dataclass_params__", None), "frozen", False))


def _are_feedback(given: object) -> bool:
    return isinstance(given, frozenset) and given <= set(Feedback)


def promised(subject: Subject) -> None:
    """What it gives, forgets and reads whole is said."""
    connector = subject.connector
    must(_are_feedback(connector.gives), "gives: a frozenset of Feedback.")
    must(isinstance(connector.forgets, bool), "forgets: True or False.")
    with subject.open() as bench:
        must(isinstance(bench.connect().is_whole, bool), "is_whole: True or False.")


def hosts(subject: Subject) -> None:
    """Only its own hosts are asked."""
    with subject.open() as bench:
        hosts: object = subject.connector.hosts(bench.config)
        if not isinstance(hosts, frozenset) or any("/" in str(host) for host in hosts):
            raise FailedError("hosts: a frozenset of names, without a path.")
        bench.pull(State())
        strange = {host for _, host in bench.web.asked} - hosts
        must(not strange, f"{', '.join(sorted(strange))} was asked; name it in hosts().")


def whole(subject: Subject) -> None:
    """A whole pull brings the whole list."""
    with subject.open() as bench:
        state = State()
        bench.pull(state)
        bench.expect(state)
        must(bool(state.checkpoint), "The last page needs a checkpoint that stands for everything seen.")


def nothing_new(subject: Subject) -> None:
    """Nothing new changes nothing."""
    with subject.open() as bench:
        state = State()
        bench.pull(state)
        before = dict(state.records)
        bench.pull(state)
        must(state.records == before, "A pull from the last checkpoint has to leave everything as it was.")
        must(len(state.pages) <= 1, "A pull from the last checkpoint read the list again; go on from the checkpoint.")


def changes(subject: Subject) -> None:
    """What is new arrives."""
    with subject.open() as bench:
        state = State()
        bench.pull(state)
        for count in (1, 7, 130):
            bench.simulator.publish(count)
            bench.pull(state)
            bench.expect(state)


def withdrawals(subject: Subject) -> None:
    """What is withdrawn goes."""
    with subject.open() as bench:
        state = State()
        bench.pull(state)
        for count in (1, 20):
            bench.simulator.withdraw(count)
            bench.pull(state)
            bench.expect(state)


def interruption(subject: Subject) -> None:
    """A pull that is cut goes on.

    Whatever page a pull is killed after, the next one goes on from there.
    """
    with subject.open() as bench:
        state = State()
        bench.pull(state)
        for stop in range(1, min(len(state.pages), 8) + 1):
            _interrupted(bench, stop)


def _interrupted(bench: Bench, stop: int) -> None:
    state = State()
    state.begin(is_whole=True)
    for page, _ in zip(bench.connect().pull(""), range(stop), strict=False):
        state.take(page)
    bench.simulator.publish(3)
    bench.pull(state)
    bench.expect(state)


def keys(subject: Subject) -> None:
    """Keys are short, single and no values."""
    with subject.open() as bench:
        state = State()
        bench.pull(state)
        for page in state.pages:
            keys = [record.key for record in page.records]
            must(len(set(keys)) == len(keys), "A page names a key twice; the last word is enough.")
        values = {text.partition(":")[2] for text in state.signals()}
        must(not values & set(state.records), "A key is a hash of the list; keys are shown and logged, values are not.")


def times(subject: Subject) -> None:
    """Times are in UTC."""
    with subject.open() as bench:
        state = State()
        bench.pull(state)
        times = [one.listed_at for one in state.records.values() if one.listed_at is not None]
        must(all(at.utcoffset() == timedelta(0) for at in times), "listed_at: aware, in UTC.")


def time_zones(subject: Subject) -> None:
    """The machine's time zone does not matter."""
    with subject.open() as bench:
        found = []
        for zone in _ZONES:
            with _zone(zone):
                state = State()
                bench.pull(state)
                bench.expect(state)
                found.append(state.records)
        must(found[0] == found[1] == found[2], "The records differ by the machine's time zone (TZ); use UTC.")


@contextmanager
def _zone(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


def feedback(subject: Subject) -> None:
    """Feedback is sent."""
    with subject.open() as bench:
        state = State()
        bench.pull(state)
        record = next(one for one in state.records.values() if one.signals)
        for feedback in sorted(subject.connector.gives):
            connector = bench.connect()
            connector.push([_opined(feedback, record)])
            must(bool(bench.web.asked), f"push sends nothing for {feedback}; take it out of gives, or send it.")


def feedback_not_given(subject: Subject) -> None:
    """Other feedback is refused."""
    with subject.open() as bench:
        state = State()
        bench.pull(state)
        record = next(one for one in state.records.values() if one.signals)
        for feedback in sorted(set(Feedback) - subject.connector.gives):
            try:
                bench.connect().push([_opined(feedback, record)])
            except Refused:
                must(not bench.web.asked, f"push sends something for {feedback} before it refuses it.")
                continue
            raise FailedError(f"push takes {feedback}, which is not in gives; raise Refused.")


def _opined(feedback: Feedback, record: SourceRecord) -> Opined:
    if feedback is Feedback.NEW_SIGNAL:
        new = Signal(type="pdq", value=bytes(range(32)))
        return Opined(feedback=feedback, record="", signal=new)
    return Opined(
        feedback=feedback, record=record.key, signal=record.signals[0], detail=record.detail, labels=record.labels
    )


def memory(subject: Subject) -> None:
    """A long list does not fill the memory."""
    many = subject.many
    with subject.open(many) as bench:
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            count = sum(len(page.records) for page in bench.connect().pull(""))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        must(count >= many, f"Of {many} records {count} came.")
        used = (peak - before) >> 20
        must(
            peak - before < _AT_REST + many * _A_RECORD,
            f"{many} records took {used} MiB; give pages as they come, keep none.",
        )
