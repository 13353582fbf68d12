"""`jikimi action …` and `jikimi webhook …`."""

from __future__ import annotations

from typing import Annotated

import typer

from jikimi.cli.terminal import Data, Json, actor, kit_of, say, settings_of, write_json, write_table
from jikimi.model.action import ActionState
from jikimi.model.ids import ActionId

ActionName = Annotated[str, typer.Argument(metavar="ACTION", help="The action, as `action list` shows it.")]


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    actions = typer.Typer(help="What the platform is told to do.", no_args_is_help=True, rich_markup_mode=None)
    actions.command("list")(list_actions)
    actions.command("show")(show_action)
    actions.command("replay")(replay)
    app.add_typer(actions, name="action")
    webhook = typer.Typer(help="How the platform is told.", no_args_is_help=True, rich_markup_mode=None)
    webhook.command("test")(try_it)
    webhook.command("keys")(keys)
    webhook.command("rotate")(rotate)
    app.add_typer(webhook, name="webhook")


def list_actions(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    state: Annotated[ActionState | None, typer.Option(help="Only those in this state.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List actions."""
    from jikimi.doors.shared.answers import action_answer

    with kit_of(data) as kit, kit.store.read() as tx:
        answers = [action_answer(action) for action in tx.actions.list(limit=limit, state=state)]
    if as_json:
        for answer in answers:
            write_json(answer)
        return
    write_table(
        ("action", "what", "case", "state", "tries", "ordered"),
        [
            (a.action_id, a.action or "appeal", a.case_id, a.state, a.tries, f"{a.created_at:%Y-%m-%d %H:%M}")
            for a in answers
        ],
    )


def show_action(action_id: ActionName, data: Data = None, as_json: Json = False) -> None:
    """Show an action with every try to deliver it."""
    from jikimi.doors.shared.answers import action_story_answer
    from jikimi.flows.enforce import tell_action

    with kit_of(data) as kit:
        story = action_story_answer(tell_action(kit, ActionId(action_id)))
    if as_json:
        write_json(story)
        return
    action = story.action
    say(f"{action.action_id}  {action.action or 'appeal'}, {action.state}; case {action.case_id}")
    for target in action.targets:
        say(f"    content {target.content_id}  account {target.account_id}")
    if action.receipt:
        say(f"    receipt {action.receipt}")
    write_table(
        ("when", "answer", "ms", "error"),
        [(f"{d.at:%Y-%m-%d %H:%M:%S}", d.status or "none", d.elapsed_ms, d.error) for d in story.deliveries],
    )


def replay(action_id: ActionName, data: Data = None, as_json: Json = False) -> None:
    """Send an action again, with its old key: a platform that has done it does nothing."""
    from jikimi.doors.shared.answers import action_answer
    from jikimi.flows.enforce import send_again

    with kit_of(data) as kit:
        answer = action_answer(send_again(kit, actor(), ActionId(action_id)))
    if as_json:
        write_json(answer)
    else:
        say(f"{answer.action_id}: waits to be sent by the running service")


def try_it(data: Data = None, as_json: Json = False) -> None:
    """Send a signed message that asks for nothing. Exit code 1 if it is not answered with 2xx."""
    from jikimi.flows.enforce import try_webhook

    with kit_of(data) as kit:
        answer = try_webhook(kit)
    if as_json:
        write_json({"status": answer.status, "error": answer.error, "elapsed_ms": answer.elapsed_ms})
    else:
        say(f"answered {answer.status} in {answer.elapsed_ms} ms" if answer.status else f"no answer: {answer.error}")
    raise typer.Exit(0 if 200 <= answer.status < 300 else 1)


def keys(data: Data = None, as_json: Json = False) -> None:
    """Show the keys that sign, newest first. The receiver has to know one of them."""
    from jikimi.app import webhook_keys_of

    _say_keys(webhook_keys_of(settings_of(data))(), as_json=as_json)


def rotate(
    finish: Annotated[bool, typer.Option("--finish", help="Retire the older key, once no receiver needs it.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a new key. Both sign until `--finish`; no restart is needed."""
    from jikimi.app import webhook_keys_of

    known = webhook_keys_of(settings_of(data))
    _say_keys(known.retire() if finish else known.rotate(), as_json=as_json)


def _say_keys(found: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        write_json({"keys": list(found)})
        return
    for key in found:
        say(key)
