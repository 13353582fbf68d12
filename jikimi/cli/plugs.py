"""`jikimi plug …`: kinds of exchange that are installed, and whether they keep their promises."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jikimi.cli.terminal import Data, Json, say, settings_of, write_json, write_table
from jikimi.model.errors import Refused

if TYPE_CHECKING:
    pass

SIMULATORS = "jikimi.simulators.v1"
"""Entry points of simulators, under the names of the kinds that they are for."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The plug-in's name.")]


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(help="Plug-ins: kinds of exchange.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(list_all)
    group.command("check")(check)
    app.add_typer(group, name="plug")


def list_all(data: Data = None, as_json: Json = False) -> None:
    """List what is installed. What comes from other packages is used only if the setting `plugs` names it."""
    from jikimi.app import installed

    plugs = installed(settings_of(data)).plugs()
    if as_json:
        for plug in plugs:
            write_json(plug)
        return
    write_table(
        ("name", "package", "state"),
        [(one.name, one.package, one.fault or ("enabled" if one.is_enabled else "not enabled")) for one in plugs],
    )


def check(
    name: Name,
    records: Annotated[int, typer.Option("--records", min=1, help="Records of the longest list.")] = 100_000,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Try a plug-in against its own simulator, enabled or not; nothing outside this machine is asked.

    Exit code 0: it keeps all promises of its port; 1: it does not.
    """
    from jikimi.app import web_for
    from jikimi.plugs.exchanges.installed import GROUP
    from jikimi.testing.conformance import check_connector

    settings = settings_of(data)
    connector, simulator = _loaded(GROUP, name), _loaded(SIMULATORS, name)
    has_failed = False
    for one in check_connector(connector, simulator, lambda hosts: web_for(settings, hosts), many=records):
        has_failed |= not one.passed
        if as_json:
            write_json(one)
        else:
            say(f"{'ok' if one.passed else 'FAILED':8}{one.name}{': ' if one.advice else ''}{one.advice}")
    raise typer.Exit(1 if has_failed else 0)


def _loaded(group: str, name: str) -> Any:
    """Import what a package registers. Who names a plug-in here wants it to be run."""
    found = [point for point in entry_points(group=group) if point.name == name]
    if not found:
        raise Refused("plug_unknown", _advice(group, name))
    try:
        return _ours_first(found).load()
    except Exception as error:  # another package's code may raise anything when it is imported
        raise Refused(
            "plug_broken", f"{name} cannot be imported: {type(error).__name__}; JIKIMI_DEBUG=1 says more.",
            detail=repr(error),
        ) from error  # fmt: skip


def _ours_first(found: list[EntryPoint]) -> EntryPoint:
    """Nobody takes the name of one of ours."""
    return min(found, key=lambda point: point.dist is None or point.dist.name != "jikimi")


def _advice(group: str, name: str) -> str:
    if group == SIMULATORS:
        return f"{name!r} brings no simulator, so it cannot be tried; register one under `{SIMULATORS}` in its package."
    return f"No plug-in {name[:80]!r} is installed; `jikimi plug list` names those there are."
