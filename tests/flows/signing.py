"""The sentences of signing in: a link is opened, a passkey is made, somebody comes in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyotp

from jikimi.flows import people, signin, welcome
from jikimi.model.people import Role
from jikimi.model.signin import Operator, Signed, Visitor
from jikimi.ports import Kit
from jikimi.testing.authenticator import Authenticator
from tests.conftest import World

MACHINE = Operator(actor="cli:tester")
HERE = Visitor(address="192.0.2.7", place="Firefox on Linux")
PASSWORD = "heron under the seventh bridge"
HABITS = welcome.Habits(language="ko", time_zone="Asia/Seoul")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who has come in, and what they came in with."""

    signed: Signed
    authenticator: Authenticator
    totp: str = ""
    recovery: tuple[str, ...] = ()


def device(kit: Kit) -> Authenticator:
    return Authenticator(origin=kit.prover.origin)


def secret_of(link: people.Link | None) -> str:
    assert link is not None
    return link.address.rpartition("/")[2]


def come_with_passkey(kit: Kit, link: people.Link | None, name: str) -> Member:
    authenticator = device(kit)
    options = welcome.ask_passkey(kit, secret_of(link), name)
    admitted = welcome.accept_with_passkey(kit, authenticator.create(options), HABITS, HERE)
    return Member(signed=admitted.signed, authenticator=authenticator)


def come_with_password(world: World, link: people.Link | None, name: str) -> Member:
    kit = world.kit
    setup = welcome.ask_codes(kit, secret_of(link), name)
    code = pyotp.TOTP(setup.secret).at(world.clock.now)
    admitted = welcome.accept_with_password(kit, setup.token, PASSWORD, code, HABITS, HERE)
    return Member(signed=admitted.signed, authenticator=device(kit), totp=setup.secret, recovery=admitted.recovery)


def administrator(kit: Kit) -> Member:
    return come_with_passkey(kit, people.first_link(kit), "Ada")


def colleague(kit: Kit, name: str, *roles: Role) -> Member:
    return come_with_passkey(kit, people.invite(kit, MACHINE, roles), name)


def sign_in(kit: Kit, member: Member, visitor: Visitor = HERE) -> Signed:
    answer = member.authenticator.get(signin.ask_passkey(kit))
    return signin.sign_in_with_passkey(kit, answer, visitor)


def code_now(world: World, member: Member) -> str:
    return pyotp.TOTP(member.totp).at(world.clock.now)


def with_password(
    world: World, member: Member, *, password: str = PASSWORD, code: str = "", visitor: Visitor = HERE
) -> Signed:
    name = member.signed.person.name
    return signin.sign_in_with_password(world.kit, name, password, code or code_now(world, member), visitor)


def from_elsewhere(number: int) -> Visitor:
    return replace(HERE, address=f"198.51.100.{number}")
