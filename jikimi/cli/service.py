"""`jikimi up` and `jikimi doctor`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from jikimi.cli.terminal import Data, Json, actor, say, settings_of, write_json, write_table

if TYPE_CHECKING:
    from jikimi.cli.demo import Demo
    from jikimi.ports import Kit


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("up")(up)
    app.command("doctor")(doctor)


def up(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port to listen on (default 8600; 0: any free one).")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="On an empty data folder, make a demo bank and a key.")] = False,
    data: Data = None,
) -> None:
    """Run the service until it is told to stop. Made for the first run as well as for every other."""
    from jikimi.app import Service, listen, listen_for_hma, open_kit

    settings = settings_of(data, host=host, port=port)
    listening = listen(settings.host, settings.port)
    settings = settings.model_copy(update={"port": listening.getsockname()[1]})
    with listening, listen_for_hma(settings) as for_hma, open_kit(settings) as kit:
        service = Service(settings, kit, listening, *for_hma)
        say(f"jikimi serves on {service.address}  (data folder {settings.data})")
        say(f"    ready?        curl {service.address}/readyz")
        say(f"    the API       {service.address}/openapi.json")
        for address in service.hma_addresses:
            say(f"    HMA's API     {address}" + ("" if settings.hma.needs_key else "  (without a key)"))
        if demo:
            from jikimi.cli.demo import prepare_demo

            _say_demo(prepare_demo(kit, settings.data), service.address)
        else:
            say("    a key         jikimi key create NAME --scope scan")
        _say_desk(kit)
        _say_recovery(kit)
        say("Stop with Ctrl-C.")
        service.run()


def _say_desk(kit: Kit) -> None:
    """Where people sign in; while there is nobody, the link by which the first of them comes in."""
    from jikimi.flows.people import first_link

    link = first_link(kit)
    if link is None:
        say(f"    the desk      {kit.prover.origin}/desk")
        return
    say("    the desk      nobody can sign in yet; open this link, which works once, and set up yourself:")
    say(f"                  {link.address}")


def doctor(data: Data = None, as_json: Json = False) -> None:
    """Check this installation. Exit code 1 if something needs attention."""
    from jikimi.cli.diagnosis import examine_installation

    findings = examine_installation(settings_of(data))
    if as_json:
        for finding in findings:
            write_json(finding)
    else:
        write_table(("", "check", "finding"), [("ok" if f.ok else "!!", f.check, f.finding) for f in findings])
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def _say_recovery(kit: Kit) -> None:
    """Print the recovery sheet once, to a person; what is not a terminal may be a log, and gets a hint."""
    from jikimi.flows.evidence_key import key_states, write_down

    present = key_states(kit)[-1]
    if present.was_written_down or not present.is_here:
        return
    if sys.stdout.isatty():
        print("\n" + write_down(kit, actor()), flush=True)
    else:
        say("    evidence key  on no paper yet: `jikimi vault recovery` prints its recovery sheet, for a safe")


def _say_demo(demo: Demo | None, address: str) -> None:
    if demo is None:
        say("    no demo       this data folder is in use already")
        return
    say(f"    demo bank     demo, made of the picture {demo.known}")
    say(f"    demo key      {demo.key.read_text().strip()}  (scope scan; kept in {demo.key})")
    say("Ask about a copy that was mirrored, made smaller and saved as JPEG; the answer is `block`:")
    ask = f'curl -sS -H "Authorization: Bearer $(cat {demo.key})" --data-binary @{demo.altered}'
    say(f'    {ask} "{address}/v1/scan?content_id=demo-1&account_id=user-1"')
