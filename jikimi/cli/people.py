"""`jikimi person …`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jikimi.cli.terminal import Data, Json, actor, kit_of, say, write_json, write_table
from jikimi.model.people import Role
from jikimi.model.signin import Operator

if TYPE_CHECKING:
    from jikimi.flows.people import Link

PersonName = Annotated[str, typer.Argument(metavar="NAME", help="The person, as `person list` shows them.")]


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    people = typer.Typer(help="People who sign in to the desk.", no_args_is_help=True, rich_markup_mode=None)
    people.command("list")(list_people)
    people.command("invite")(invite)
    people.command("link")(link)
    people.command("disable")(disable)
    app.add_typer(people, name="person")


def list_people(data: Data = None, as_json: Json = False) -> None:
    """List people, disabled ones too."""
    from jikimi.flows.people import staff

    with kit_of(data) as kit:
        colleagues = staff(kit, _operator()).colleagues
    rows = [
        {
            "name": one.person.name, "roles": sorted(one.person.roles), "pseudonym": one.person.pseudonym,
            "passkeys": one.passkeys, "password": one.has_password, "provider": one.is_bound,
            "sessions": one.sessions, "created_at": one.person.created_at, "disabled_at": one.person.disabled_at,
        }
        for one in colleagues
    ]  # fmt: skip
    if as_json:
        for row in rows:
            write_json(row)
        return
    write_table(
        ("name", "roles", "outside", "passkeys", "password", "signed in at", "state"),
        [
            (one.person.name, ", ".join(sorted(one.person.roles)), one.person.pseudonym, one.passkeys,
             "yes" if one.has_password else "no", one.sessions, "disabled" if one.person.disabled_at else "active")
            for one in colleagues
        ],
    )  # fmt: skip


def invite(
    role: Annotated[list[Role], typer.Option("--role", help="What they may do; may be repeated.")],
    label: Annotated[str, typer.Option("--for", help="Whom the link is for; shown on the page of people.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a one-time link by which somebody comes in. It is shown once and not kept."""
    from jikimi.flows.people import invite

    with kit_of(data) as kit:
        made = invite(kit, _operator(), role, label)
    _say_link(made, as_json)


def link(name: PersonName, data: Data = None, as_json: Json = False) -> None:
    """Make a one-time link for somebody who has lost everything they sign in with."""
    from jikimi.flows.people import named, new_link

    with kit_of(data) as kit:
        made = new_link(kit, _operator(), named(kit, name).id)
    _say_link(made, as_json)


def disable(name: PersonName, data: Data = None, as_json: Json = False) -> None:
    """Disable somebody: their sessions end at once, and their cases are free for others."""
    from jikimi.flows.people import disable, named

    with kit_of(data) as kit:
        person = disable(kit, _operator(), named(kit, name).id)
    if as_json:
        write_json({"name": person.name, "disabled_at": person.disabled_at})
    else:
        say(f"{person.name}: disabled")


def _operator() -> Operator:
    return Operator(actor=actor())


def _say_link(made: Link, as_json: bool) -> None:
    if as_json:
        write_json(
            {
                "link": made.address,
                "roles": sorted(made.invitation.roles),
                "expires_at": made.invitation.expires_at,
            }
        )
    else:
        say(made.address)
