"""`jikimi peer …`: banks are shared with other services."""

from __future__ import annotations

from typing import Annotated

import typer

from jikimi.cli.terminal import Data, Json, actor, kit_of, say, settings_of, write_json, write_table

PeerName = Annotated[str, typer.Argument(metavar="NAME", help="What you call the other service; the name of its key.")]


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    peers = typer.Typer(help="Other services that read banks of yours.", no_args_is_help=True, rich_markup_mode=None)
    peers.command("allow")(allow)
    peers.command("list")(list_all)
    peers.command("revoke")(revoke)
    peers.command("feedback")(feedback)
    peers.command("identity")(identity)
    app.add_typer(peers, name="peer")


def allow(
    name: PeerName,
    bank: Annotated[list[str], typer.Option("--bank", help="A bank that it may read; may be repeated.")],
    with_lists: Annotated[
        bool, typer.Option("--with-lists", help="Also what exchanges say. Only where their agreements allow it.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Let another service read banks. Its key is shown once and not kept; one that it has already stays."""
    from jikimi.flows.peer import allow_peer

    with kit_of(data) as kit:
        secret = allow_peer(kit, actor(), name, bank, with_lists=with_lists)
    if as_json:
        write_json({"name": name, "banks": sorted(set(bank)), "with_lists": with_lists, "key": secret})
    else:
        say(secret or f"{name}: may read {', '.join(dict.fromkeys(bank))} with the key it has")


def list_all(data: Data = None, as_json: Json = False) -> None:
    """List who may read what."""
    from jikimi.flows.peer import list_peers

    with kit_of(data) as kit:
        grants = list_peers(kit)
    if as_json:
        for one in grants:
            write_json(
                {"name": one.peer, "bank": one.bank.policy.name, "with_lists": one.with_lists,
                 "allowed_by": one.granted_by, "allowed_at": one.granted_at}
            )  # fmt: skip
        return
    write_table(
        ("peer", "bank", "what", "allowed", "by"),
        [
            (one.peer, one.bank.policy.name, "with lists" if one.with_lists else "our own",
             f"{one.granted_at:%Y-%m-%d %H:%M}", one.granted_by)
            for one in grants
        ],
    )  # fmt: skip


def revoke(name: PeerName, data: Data = None, as_json: Json = False) -> None:
    """Let another service read nothing any more. What it has read already is in its hands."""
    from jikimi.flows.peer import revoke_peer

    with kit_of(data) as kit:
        revoke_peer(kit, actor(), name)
    if as_json:
        write_json({"name": name, "revoked": True})
    else:
        say(f"{name}: revoked")


def feedback(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List what peers say of your entries."""
    from jikimi.flows.peer import what_peers_say

    with kit_of(data) as kit:
        said = what_peers_say(kit, limit)
    if as_json:
        for one in said:
            write_json(
                {"peer": one.peer, "bank": one.bank, "entry": one.entry_id, "feedback": one.feedback, "at": one.at}
            )
        return
    write_table(
        ("when", "peer", "bank", "entry", "says"),
        [(f"{one.at:%Y-%m-%d %H:%M}", one.peer, one.bank, one.entry_id, one.feedback) for one in said],
    )


def identity(data: Data = None, as_json: Json = False) -> None:
    """Print the public key that other services know this one by; give it to them together with their key."""
    from jikimi.app import peer_key_of

    public = peer_key_of(settings_of(data)).public
    if as_json:
        write_json({"public_key": public})
    else:
        say(public)
