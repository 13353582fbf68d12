"""The kinds of exchange that are enabled here: those that ship with jikimi, and those that the settings name.

What is installed is not enabled: another package's class is imported only if `plugs` names its kind. One that cannot be
imported is as good as not there, and is reported; it must not take anything else down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from jikimi.model.errors import JikimiError, Refused
from jikimi.model.form import fields_of, plain_values, read_config, secret_values
from jikimi.ports.exchanges import Connector, Kind, Web

GROUP = "jikimi.exchanges.v1"
_OURS = "jikimi"

_MISSING = "No installed package brings it; install one, or take the name out of `plugs`."

WebFor = Callable[[frozenset[str]], Web]
"""Makes the way to some hosts and no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """A kind as it is installed; `package` is the distribution it comes from."""

    name: str
    package: str
    is_enabled: bool
    fault: str = ""
    """Why it cannot be used; only enabled ones are tried."""


class Installed:
    """Kinds by name, from entry points."""

    def __init__(
        self,
        named: Collection[str],
        web_for: WebFor,
        clock: Callable[[], datetime],
        found: Iterable[EntryPoint] | None = None,
    ) -> None:
        self._named = frozenset(named)
        self._web_for = web_for
        self._clock = clock
        self._found = sorted(entry_points(group=GROUP) if found is None else found, key=lambda point: point.name)

    def all(self) -> tuple[Kind, ...]:
        """All kinds that can be used, by name."""
        kinds = []
        for point in self._enabled().values():
            try:
                kinds.append(_kind(point.name, _loaded(point)))
            except Refused:
                continue
        return tuple(kinds)

    def get(self, kind: str) -> Kind:
        """One of them."""
        return _kind(kind, self._class(kind))

    def checked(self, kind: str, settings: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, str]]:
        """Settings as they were typed, in two: plain JSON values to be stored, and secrets to be sealed."""
        config: Any = read_config(self._class(kind).Config, settings)
        return plain_values(config), secret_values(config)

    def connect(self, kind: str, settings: Mapping[str, object]) -> Connector:
        """Make the way to a programme from all its settings; its hosts are all that it can reach."""
        class_ = self._class(kind)
        config: Any = read_config(class_.Config, settings)
        return class_(config, self._web_for(class_.hosts(config)), self._clock())

    def plugs(self) -> tuple[Plug, ...]:
        """Everything that is installed, and what is named and is not; what is not enabled is not imported."""
        enabled = self._enabled()
        missing = sorted(self._named - {point.name for point in self._found})
        return (
            *(_plug(point, is_enabled=enabled.get(point.name) is point) for point in self._found),
            *(Plug(name=name, package="", is_enabled=True, fault=_MISSING) for name in missing),
        )

    def _enabled(self) -> dict[str, EntryPoint]:
        """Ours, and those that are named; nobody takes the name of one of ours."""
        theirs = {point.name: point for point in self._found if _package(point) != _OURS and point.name in self._named}
        return theirs | {point.name: point for point in self._found if _package(point) == _OURS}

    def _class(self, kind: str) -> type[Connector]:
        enabled = self._enabled()
        if kind in enabled:
            return _loaded(enabled[kind])
        if any(point.name == kind for point in self._found):
            raise Refused(
                "exchange_kind_disabled",
                f"The kind {kind} is installed, but `plugs` does not name it; name it in jikimi.toml, and restart.",
            )
        raise Refused(
            "exchange_kind_unknown", f"There is no kind {kind[:80]!r} of exchange; there are {', '.join(enabled)}."
        )


def _loaded(point: EntryPoint) -> type[Connector]:
    try:
        class_ = cast("type[Connector]", point.load())
        fields_of(class_.Config)
    except JikimiError:
        raise
    except Exception as error:  # another package's code may raise anything when it is imported
        raise Refused(
            "exchange_kind_broken",
            f"The kind {point.name} of package {_package(point)} cannot be used: {type(error).__name__}. "
            "Install a version that fits, or take it out of `plugs`.",
            detail=repr(error),
        ) from error
    return class_


def _plug(point: EntryPoint, *, is_enabled: bool) -> Plug:
    fault = ""
    if is_enabled:
        try:
            _loaded(point)
        except Refused as error:
            fault = error.message
    return Plug(name=point.name, package=_package(point), is_enabled=is_enabled, fault=fault)


def _kind(name: str, class_: type[Connector]) -> Kind:
    about = (class_.__doc__ or "").strip().partition("\n")[0]
    return Kind(
        name=name, about=about, fields=fields_of(class_.Config), gives=class_.gives, forgets=bool(class_.forgets)
    )


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""
