"""`jikimi share …`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jikimi.cli.terminal import Data, Json, actor, kit_of, say, write_json, write_table
from jikimi.model.ids import CaseId, ShareId
from jikimi.model.share import Share, ShareState

ShareName = Annotated[str, typer.Argument(metavar="SHARE", help="The share, as `share list` shows it.")]


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    shares = typer.Typer(help="What is given back to exchanges.", no_args_is_help=True, rich_markup_mode=None)
    shares.command("list")(list_shares)
    shares.command("propose")(propose)
    shares.command("approve")(approve)
    shares.command("refuse")(refuse)
    shares.command("retry")(retry)
    app.add_typer(shares, name="share")


def list_shares(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    state: Annotated[ShareState | None, typer.Option(help="Only those in this state.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List what is given back, newest first."""
    from jikimi.flows.share import tell_given

    with kit_of(data) as kit:
        given = tell_given(kit, limit=limit, state=state)
    rows = [_told(share, given.names.get(share.exchange_id, "")) for share in given.shares]
    if as_json:
        for row in rows:
            write_json(row)
        return
    columns = ("share", "exchange", "feedback", "record", "entry", "case", "state", "tries", "error")
    write_table(columns, [[row[column] for column in columns] for row in rows])


def propose(
    case_id: Annotated[str, typer.Argument(metavar="CASE", help="A case that was decided.")],
    exchange: Annotated[str, typer.Argument(help="The exchange to give its signals to.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Propose what our banks hold of a case to an exchange. Nothing leaves before somebody else approves."""
    from jikimi.flows.propose import propose_new

    with kit_of(data) as kit:
        shares = propose_new(kit, actor(), CaseId(case_id), exchange)
    for share in shares:
        _say(share, "waits for a second person", as_json=as_json)


def approve(share_id: ShareName, data: Data = None, as_json: Json = False) -> None:
    """Agree, as the second person, to giving a new signal."""
    from jikimi.flows.propose import settle_proposal

    with kit_of(data) as kit:
        share = settle_proposal(kit, actor(), ShareId(share_id), agrees=True)
    _say(share, "waits to be sent by the running service", as_json=as_json)


def refuse(share_id: ShareName, data: Data = None, as_json: Json = False) -> None:
    """Do not agree, as the second person, to giving a new signal."""
    from jikimi.flows.propose import settle_proposal

    with kit_of(data) as kit:
        share = settle_proposal(kit, actor(), ShareId(share_id), agrees=False)
    _say(share, "refused", as_json=as_json)


def retry(share_id: ShareName, data: Data = None, as_json: Json = False) -> None:
    """Try again to give what has failed."""
    from jikimi.flows.share import send_again

    with kit_of(data) as kit:
        share = send_again(kit, actor(), ShareId(share_id))
    _say(share, "waits to be sent by the running service", as_json=as_json)


def _say(share: Share, what: str, *, as_json: bool) -> None:
    if as_json:
        write_json(_told(share))
    else:
        say(f"{share.id}: {what}")


def _told(share: Share, exchange: str = "") -> dict[str, Any]:
    named = {"exchange": exchange} if exchange else {}
    return {
        "share": share.id,
        **named,
        "feedback": share.feedback.value,
        "record": share.record,
        "entry": share.entry_id,
        "case": share.case_id,
        "decision": share.decision_id,
        "asked_by": share.asked_by,
        "approved_by": share.approved_by,
        "state": share.state.value,
        "tries": share.tries,
        "error": share.error,
        "created_at": share.created_at,
        "settled_at": share.settled_at,
    }
