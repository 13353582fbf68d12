"""A small world out of benign pictures, as the desk's tests and screenshots need it: people, banks, uploads, decisions.

Everything goes through the flows, at times of its own, so that the pages show a service that has run for a month.
"""

from __future__ import annotations

import io
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from PIL import Image

from jikimi.engine.pattern import alter, paint
from jikimi.flows.bank import add_entries, create_bank, entries_of_file
from jikimi.flows.exchange import add_exchange
from jikimi.flows.review import Filter, decide, note, take, take_next
from jikimi.flows.scan import scan
from jikimi.flows.sync import sync
from jikimi.model.action import Verb
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.decision import Choice, Fact, Facts, Label, Tri
from jikimi.model.errors import Unavailable
from jikimi.model.exchange import Feedback, NewExchange
from jikimi.model.ids import ENTROPY_BYTES, CaseId, PersonId, new_id
from jikimi.model.match import Disposition
from jikimi.model.people import Person, Role
from jikimi.model.scan import Upload
from jikimi.ports import Kit
from jikimi.testing.ncmec import Ncmec
from jikimi.testing.stopncii import KEYS, StopNcii

BANKS = (
    ("hotline-known", Category.CSAM, "hotline exchange"),
    ("forged-intimate", Category.NCII_FORGERY, "requests of those depicted"),
    ("extremist", Category.TERRORISM, "shared list"),
    ("local", Category.OTHER, ""),
)
_PER_BANK = 3
_DAY = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Who works there."""

    reviewer: Person
    colleague: Person
    lead: Person
    legal: Person
    auditor: Person
    administrator: Person


def at(kit: Kit, moment: datetime) -> Kit:
    """The same installation at another time; what it makes then is named after that time."""
    return replace(
        kit, clock=lambda: moment, ids=lambda prefix: new_id(prefix, moment, secrets.token_bytes(ENTROPY_BYTES))
    )


_NAMES = {
    "reviewer": ("haneul", Role.REVIEWER),
    "colleague": ("minjae", Role.REVIEWER),
    "lead": ("sora", Role.LEAD),
    "legal": ("jiwoo", Role.LEGAL),
    "auditor": ("dohyun", Role.AUDITOR),
    "administrator": ("yuna", Role.ADMINISTRATOR),
}


def hire_all(kit: Kit) -> Staff:
    """One person of each role, and a second reviewer."""
    people = {place: _hire(kit, name, role) for place, (name, role) in _NAMES.items()}
    with kit.store.begin() as tx:
        for person in people.values():
            tx.people.add(person)
    return Staff(**people)


def staff_of(kit: Kit) -> Staff | None:
    """The people who were hired already."""
    with kit.store.read() as tx:
        people = {place: tx.people.named(name) for place, (name, _) in _NAMES.items()}
    known = {place: person for place, person in people.items() if person is not None}
    return Staff(**known) if len(known) == len(_NAMES) else None


def _hire(kit: Kit, name: str, role: Role) -> Person:
    return Person(
        id=PersonId(kit.ids("person")),
        name=name,
        pseudonym=f"moderator-{kit.entropy(4).hex()}",
        roles=frozenset({role}),
        created_at=kit.clock(),
    )


def fill_banks(kit: Kit, pictures: int = _PER_BANK) -> None:
    """Banks with so many generated pictures in each."""
    for place, (name, category, source) in enumerate(BANKS):
        policy = BankPolicy(name=name, category=category, on_match=OnMatch.BLOCK, source=source)
        create_bank(kit, "cli:demo", policy)
        for seed in range(pictures):
            entries = entries_of_file(kit, io.BytesIO(known_picture(place, seed)), policy).entries
            add_entries(kit, "cli:demo", name, entries)


def upload(kit: Kit, picture: bytes, *, account: str = "", content: str = "", name: str = "", url: str = "") -> CaseId:
    """A picture arrives; the case that it leads to."""
    said = Upload(
        source="forum",
        received_at=kit.clock(),
        content_id=content,
        account_id=account,
        filename=name,
        url=url,
    )
    found = scan(kit, said, io.BytesIO(picture))
    assert found.case_id is not None
    return found.case_id


def known_picture(bank: int, seed: int, *, is_altered: bool = False) -> bytes:
    """A picture that a bank of this world knows, or what somebody made of it."""
    picture = _painted(7000 + bank * 10 + seed)
    return alter(picture) if is_altered else picture


def live_a_month(kit: Kit, staff: Staff, now: datetime) -> None:
    """A month of uploads and decisions, then a queue as it may look on an evening."""
    for day in range(28, 0, -1):
        for turn in range((day * 7) % 3 + 1):
            opened = now - timedelta(days=day, hours=turn * 3)
            _past_case(kit, staff, opened, day * 10 + turn)
    _this_evening(kit, staff, now)


def _past_case(kit: Kit, staff: Staff, opened: datetime, number: int) -> None:
    picture = alter(_dotted(known_picture(number % len(BANKS), number % _PER_BANK), number))
    case_id = upload(at(kit, opened), picture, account=f"user-{number % 9}", content=f"post-{number}")
    decided = at(kit, opened + timedelta(minutes=(number * 37) % 1500 + 3))
    _settle(decided, staff.reviewer, case_id, Label.OTHER, Verb.REMOVE)


def _this_evening(kit: Kit, staff: Staff, now: datetime) -> None:
    hours = (5.2, 3.1, 2.4, 1.9, 26.0, 1.1, 0.7, 0.3)
    for place, back in enumerate(hours):
        picture = known_picture(place % len(BANKS), place % _PER_BANK, is_altered=place % 3 != 0)
        moment = at(kit, now - timedelta(hours=back))
        name = f"IMG_{2040 + place}.jpg"
        upload(moment, picture, account=f"user-{place % 5}", content=f"post-{9000 + place}", name=name)
    first = take_next(at(kit, now - timedelta(minutes=2)), staff.colleague, Filter())
    assert first is not None
    proposed = take_next(at(kit, now - timedelta(minutes=9)), staff.reviewer, Filter(kind=Category.TERRORISM))
    assert proposed is not None
    choice = Choice(label=Label.TERRORISM, verb=Verb.REMOVE, note="Same poster as last week.", legal_hold=True)
    decide(at(kit, now - timedelta(minutes=7)), staff.reviewer, proposed.id, choice, version=proposed.version)
    with kit.store.read() as tx:
        newest = tx.cases.list(limit=1)[0]
    note(at(kit, now - timedelta(minutes=4)), staff.lead, newest.id, "The platform asked about this account yesterday.")
    for day in range(6):
        for source, unchecked in (("forum", 2), ("chat", 11), ("mail", 0)):
            then = now - timedelta(days=day)
            for disposition, count in ((Disposition.CLEAR, 4210 + 97 * day), (Disposition.UNCHECKED, unchecked)):
                _count(kit, source, disposition, count, then)


def _count(kit: Kit, source: str, disposition: Disposition, count: int, moment: datetime) -> None:
    for _ in range(count):
        kit.tally.count(source, disposition, (), moment)
    with kit.store.begin_beside() as tx:
        tx.counters.add(kit.tally.take())


def _settle(kit: Kit, person: Person, case_id: CaseId, label: Label, verb: Verb) -> None:
    with kit.store.read() as tx:
        case = tx.cases.get(case_id)
    if case is None or case.state != "open":
        return
    case = take(kit, person, case_id)
    facts = Facts(real_person=Fact(value=Tri.YES))
    decide(kit, person, case_id, Choice(label=label, verb=verb, facts=facts, note=""), version=case.version)


def _dotted(picture: bytes, number: int) -> bytes:
    """Another file that looks the same: one dot in it differs."""
    with Image.open(io.BytesIO(picture)) as image:
        image.putpixel((number % image.width, number // image.width), (number % 255, 0, 0))
        out = io.BytesIO()
        image.save(out, "PNG")
    return out.getvalue()


@cache
def _painted(number: int) -> bytes:
    return paint(number)


def connect(kit: Kit, ncmec: Ncmec, stopncii: StopNcii) -> None:
    """Two programmes fill banks: one list is well, the other has not been reached for a while."""
    until = int(kit.clock().timestamp())
    ncmec.fill(1200, first=until - _DAY, last=until - 60)
    stopncii.fill(340, first=until - _DAY, last=until - 60)
    vetted = BankPolicy(name="ncmec", category=Category.CSAM, on_match=OnMatch.BLOCK)
    asked = BankPolicy(name="stopncii", category=Category.NCII, on_match=OnMatch.HOLD)
    _connect(
        kit, "ncmec", vetted, {Feedback.TRUE_POSITIVE, Feedback.FALSE_POSITIVE},
        environment="https://report.cybertip.org/hashsharing", address=ncmec.url, user="user", password="password",  # noqa: S106 - of a list that does not exist
        since=f"{kit.clock():%Y-%m-%d}",
    )  # fmt: skip
    _connect(
        kit, "stopncii", asked, set(),
        address=stopncii.url, subscription_key="subscription", fetch_key=KEYS["FetchHashes"],
    )  # fmt: skip
    stopncii.fails(503, Retry_After="600")
    with suppress(Unavailable):
        sync(kit, "stopncii")


def _connect(kit: Kit, name: str, policy: BankPolicy, shares: set[Feedback], **settings: str) -> None:
    new = NewExchange(name=name, kind=name, bank=name, settings=settings, shares=frozenset(shares))
    add_exchange(kit, "cli:ops", new, policy)
    sync(kit, name)
