"""`jikimi case …`, `key …` and `audit …`."""

from __future__ import annotations

from typing import Annotated

import typer

from jikimi.cli.terminal import Data, Json, actor, complain, kit_of, moment, say, write_json, write_table
from jikimi.model.ids import CaseId
from jikimi.model.people import Scope

Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Who or what uses the key.")]


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    cases = typer.Typer(help="Cases.", no_args_is_help=True, rich_markup_mode=None)
    cases.command("list")(list_cases)
    cases.command("show")(show_case)
    app.add_typer(cases, name="case")
    keys = typer.Typer(help="Keys for programs that call the API.", no_args_is_help=True, rich_markup_mode=None)
    keys.command("create")(create)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke)
    app.add_typer(keys, name="key")
    audit = typer.Typer(help="The chained record of what was done.", no_args_is_help=True, rich_markup_mode=None)
    audit.command("verify")(verify)
    app.add_typer(audit, name="audit")


def list_cases(limit: Limit = 50, data: Data = None, as_json: Json = False) -> None:
    """List cases."""
    from jikimi.doors.shared.answers import case_answer

    with kit_of(data) as kit, kit.store.read() as tx:
        answers = [case_answer(case) for case in tx.cases.list(limit=limit)]
    if as_json:
        for answer in answers:
            write_json(answer)
        return
    write_table(
        ("case", "severity", "kind", "state", "opened", "contents", "accounts"),
        [
            (a.case_id, a.severity, a.kind, a.state, f"{a.opened_at:%Y-%m-%d %H:%M}", len(a.contents),
             ", ".join(a.accounts))
            for a in answers
        ],
    )  # fmt: skip


def show_case(
    case_id: Annotated[str, typer.Argument(metavar="CASE", help="The case, as `case list` shows it.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show a case with its uploads and its history."""
    from jikimi.doors.shared.answers import story_answer
    from jikimi.flows.account import tell_case

    with kit_of(data) as kit:
        story = story_answer(tell_case(kit, CaseId(case_id)))
    if as_json:
        write_json(story)
        return
    case = story.case
    say(f"{case.case_id}  {case.kind}, severity {case.severity}, {case.state}")
    for digest in case.contents:
        say(f"    content {digest}")
    for account in case.accounts:
        say(f"    account {account}")
    write_table(
        ("upload", "received", "checked again", "answer", "source", "content id", "matched"),
        [
            (s.scan_id, moment(s.received_at), moment(s.rechecked_at), s.verdict, s.source, s.content_id,
             ", ".join(f"{m.bank} {m.signal_type} distance {m.distance}" for m in s.matches[:3]))
            for s in story.scans
        ],
    )  # fmt: skip
    write_table(("when", "who", "what"), [(f"{e.at:%Y-%m-%d %H:%M:%S}", e.actor, e.verb) for e in story.events])


def create(
    name: KeyName,
    scope: Annotated[list[Scope], typer.Option("--scope", help="What the key opens; may be repeated.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once and not kept."""
    from jikimi.flows.key import create_key

    with kit_of(data) as kit:
        secret = create_key(kit, actor(), name, scope)
    if as_json:
        write_json({"name": name, "scopes": sorted(set(scope)), "key": secret})
    else:
        say(secret)


def list_keys(data: Data = None, as_json: Json = False) -> None:
    """List keys, without their secrets."""
    with kit_of(data) as kit, kit.store.read() as tx:
        keys = tx.keys.all()
    rows = [
        {"name": k.name, "scopes": sorted(k.scopes), "created_at": k.created_at, "revoked_at": k.revoked_at}
        for k in keys
    ]
    if as_json:
        for row in rows:
            write_json(row)
        return
    write_table(
        ("name", "opens", "made", "state"),
        [
            (k.name, ", ".join(sorted(k.scopes)), f"{k.created_at:%Y-%m-%d %H:%M}",
             "revoked" if k.revoked_at else "valid")
            for k in keys
        ],
    )  # fmt: skip


def revoke(name: KeyName, data: Data = None, as_json: Json = False) -> None:
    """Revoke a key: no call with it succeeds from now on."""
    from jikimi.flows.key import revoke_key

    with kit_of(data) as kit:
        revoke_key(kit, actor(), name)
    if as_json:
        write_json({"name": name, "revoked": True})
    else:
        say(f"{name}: revoked")


def verify(data: Data = None, as_json: Json = False) -> None:
    """Walk the whole audit chain. Exit code 1 if an event was changed, removed or inserted."""
    from jikimi.flows.account import verify_audit

    with kit_of(data) as kit:
        report = verify_audit(kit)
    if as_json:
        write_json(
            {"ok": not report.mistake, "events": report.events, "head": report.head.digest, "mistake": report.mistake}
        )
    elif report.mistake:
        complain("audit_broken", f"the audit chain does not hold: {report.mistake}")
    else:
        say(f"{report.events} events, the chain holds; its head is {report.head.digest}")
    raise typer.Exit(1 if report.mistake else 0)
