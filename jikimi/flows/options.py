"""What a reviewer can choose from on the page of a case: banks to add to, and colleagues to hand over to.

1. ask whether this person may see cases
2. name the banks that hold harm, and the people who decide cases
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jikimi.model.bank import Category
from jikimi.model.people import Permission, Person, allow
from jikimi.ports import Kit

_NO_HARM = (Category.ALLOW, Category.CANARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Names of banks, and other people who review, each in the order of their names.

    `limits` says up to which distance a bank (by its number) calls something a match.
    """

    banks: tuple[str, ...]
    colleagues: tuple[Person, ...]
    limits: Mapping[int, int]


def options(kit: Kit, person: Person) -> Options:
    """What can be chosen now."""
    # 1. may they?
    allow(person, Permission.QUEUE)
    # 2. banks and people
    with kit.store.read() as tx:
        banks = tx.banks.all()
        people = [one for one in tx.people.all() if one.id != person.id and Permission.REVIEW in one.permissions]
    policies = [bank.policy for bank in banks]
    return Options(
        banks=tuple(sorted(policy.name for policy in policies if policy.enabled and policy.category not in _NO_HARM)),
        colleagues=tuple(sorted(people, key=lambda one: one.name)),
        limits={bank.id: bank.policy.max_distance for bank in banks},
    )
