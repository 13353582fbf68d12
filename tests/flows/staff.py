"""People for stories: hired without ceremony, with whatever roles the story needs."""

from __future__ import annotations

from jikimi.model.ids import PersonId
from jikimi.model.people import Person, Role
from jikimi.ports import Kit


def hire(kit: Kit, *roles: Role, name: str = "") -> Person:
    """Somebody with these roles, stored; named after the first role unless a name is given."""
    called = name or roles[0].value
    person = Person(
        id=PersonId(kit.ids("person")),
        name=called,
        pseudonym=f"{called}-outside",
        roles=frozenset(roles),
        created_at=kit.clock(),
    )
    with kit.store.begin() as tx:
        tx.people.add(person)
    return person
