"""The conformance suite finds what it looks for: for each promise, a connector that breaks it and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from jikimi.app import web_for
from jikimi.config import Settings
from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.model.exchange import CheckpointStaleError, Page, SourceRecord
from jikimi.model.form import setting
from jikimi.plugs.exchanges.tat import TatConfig, TechAgainstTerrorism
from jikimi.plugs.exchanges.threatexchange import ThreatExchange, ThreatExchangeConfig
from jikimi.ports.exchanges import Connector, Opined, Web
from jikimi.testing import tat, threatexchange
from jikimi.testing.conformance import NAMES, Check, Simulator, check_connector


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenConfig:
    """Shows its password to everybody."""

    username: str = setting("User name.")
    password: str = setting("Password.")
    address: str = setting("Address.")


class ShowsPassword(TechAgainstTerrorism):
    Config = OpenConfig


@dataclass(slots=True, kw_only=True)
class LooseConfig:
    """Is not frozen."""

    username: str = setting("User name.")
    password: str = setting("Password.", secret=True)
    address: str = setting("Address.")


class Loose(TechAgainstTerrorism):
    Config = LooseConfig


class PromisesAnything(TechAgainstTerrorism):
    gives = {"praise"}  # type: ignore[assignment]  # noqa: RUF012 - this is what is wrong with it


class AsksElsewhere(TechAgainstTerrorism):
    @staticmethod
    def hosts(config: TatConfig) -> frozenset[str]:
        return frozenset({"somewhere.example"})

    def __init__(self, config: TatConfig, web: Web, now: datetime) -> None:
        super().__init__(config, web, now)
        self._web = _Anywhere(config, web)


class _Anywhere:
    """Tells whoever watches, and then goes past them."""

    def __init__(self, config: TatConfig, web: Web) -> None:
        self._config, self._web = config, web

    def ask(self, method: str, url: str, **sent: Any) -> Any:
        try:
            return self._web.ask(method, url, **sent)
        except Refused:
            with urlopen(f"{self._config.address}/token-auth/tcap/"):
                raise AssertionError("the simulator denies this") from None


class Changed(TechAgainstTerrorism):
    """Changes its pages."""

    def pull(self, checkpoint: str) -> Iterator[Page]:
        for number, page in enumerate(super().pull(checkpoint)):
            yield self.changed(page, number)

    def changed(self, page: Page, number: int) -> Page:
        return page


class LosesOne(Changed):
    def changed(self, page: Page, number: int) -> Page:
        return replace(page, records=page.records[1:])


class Forgets(Changed):
    """Keeps no checkpoint."""

    def changed(self, page: Page, number: int) -> Page:
        return replace(page, checkpoint="")


class DeafToWithdrawals(Changed):
    def changed(self, page: Page, number: int) -> Page:
        return replace(page, records=tuple(one for one in page.records if not one.withdrawn))


class SkipsAhead(TechAgainstTerrorism):
    """Gives the checkpoint of the page after the one it gives."""

    def pull(self, checkpoint: str) -> Iterator[Page]:
        pages = list(super().pull(checkpoint))
        yield from (replace(page, checkpoint=pages[-1].checkpoint) for page in pages)


class NamesTwice(Changed):
    def changed(self, page: Page, number: int) -> Page:
        return replace(page, records=(*page.records, *page.records[:1]))


class ValuesAsKeys(Changed):
    def changed(self, page: Page, number: int) -> Page:
        return replace(page, records=tuple(_by_value(one) for one in page.records))


def _by_value(record: SourceRecord) -> SourceRecord:
    return replace(record, key=record.signals[0].text) if record.signals else record


class LocalTimes(Changed):
    def changed(self, page: Page, number: int) -> Page:
        return replace(page, records=tuple(_local(one) for one in page.records))


def _local(record: SourceRecord) -> SourceRecord:
    return replace(record, listed_at=record.listed_at and record.listed_at.astimezone().replace(tzinfo=None))


class TakesSilenceForAnEnd(TechAgainstTerrorism):
    def pull(self, checkpoint: str) -> Iterator[Page]:
        try:
            yield from super().pull(checkpoint)
        except Unavailable:
            return


class BlamesTheValue(TechAgainstTerrorism):
    """Names a broken record by its value, or not at all, or stops."""

    def pull(self, checkpoint: str) -> Iterator[Page]:
        for page in super().pull(checkpoint):
            faults = tuple(f"{fault} {self._last_value()}" for fault in page.faults)
            yield replace(page, faults=faults)

    def _last_value(self) -> str:
        broken = [one for one in self._seen() if one.startswith("zz")]
        return broken[0] if broken else ""

    def _seen(self) -> list[str]:
        return [one["hash_digest"] for one in json.loads(self._body)["results"]]

    def _ask(self, method: str, path: str, **sent: Any) -> bytes:
        self._body = super()._ask(method, path, **sent)
        return self._body


class SilentAboutFaults(Changed):
    def changed(self, page: Page, number: int) -> Page:
        return replace(page, faults=())


class TellsThePassword(TechAgainstTerrorism):
    def pull(self, checkpoint: str) -> Iterator[Page]:
        try:
            yield from super().pull(checkpoint)
        except JikimiError as error:
            raise Refused("denied", f"{error.message} The password is {self._config.password}.") from error


class BelievesAnyCheckpoint(TechAgainstTerrorism):
    def pull(self, checkpoint: str) -> Iterator[Page]:
        try:
            yield from super().pull(checkpoint)
        except CheckpointStaleError as error:
            raise ValueError(checkpoint) from error


class SaysNothing(ThreatExchange):
    def push(self, opined: Sequence[Opined]) -> None:
        """Say it later."""


class TakesEverything(TechAgainstTerrorism):
    def push(self, opined: Sequence[Opined]) -> None:
        """Say thank you."""


class Hoards(TechAgainstTerrorism):
    """Gives its pages when it has all of them."""

    def pull(self, checkpoint: str) -> Iterator[Page]:
        yield from list(super().pull(checkpoint))


_BAD: tuple[tuple[Any, str], ...] = (
    (ShowsPassword, "The form has help and hides credentials"),
    (Loose, "The form has help and hides credentials"),
    (PromisesAnything, "What it gives, forgets and reads whole is said"),
    (AsksElsewhere, "Only its own hosts are asked"),
    (LosesOne, "A whole pull brings the whole list"),
    (Forgets, "Nothing new changes nothing"),
    (LosesOne, "What is new arrives"),
    (DeafToWithdrawals, "What is withdrawn goes"),
    (SkipsAhead, "A pull that is cut goes on"),
    (NamesTwice, "Keys are short, single and no values"),
    (ValuesAsKeys, "Keys are short, single and no values"),
    (LocalTimes, "Times are in UTC"),
    (LocalTimes, "The machine's time zone does not matter"),
    (TakesSilenceForAnEnd, "No answer is not an empty list"),
    (TakesSilenceForAnEnd, "A broken page is not half a page"),
    (TellsThePassword, "A denial is told without credentials"),
    (BlamesTheValue, "A broken record is passed over and named"),
    (SilentAboutFaults, "A broken record is passed over and named"),
    (BelievesAnyCheckpoint, "A strange checkpoint begins anew"),
    (SaysNothing, "Feedback is sent"),
    (TakesEverything, "Other feedback is refused"),
)
_LONG = "A long list does not fill the memory"


def test_every_promise_has_somebody_who_breaks_it() -> None:
    assert {name for _, name in _BAD} | {_LONG} == {*NAMES}


@pytest.mark.parametrize(("connector", "name"), _BAD, ids=lambda value: getattr(value, "__name__", None))
def test_who_breaks_a_promise_is_found_and_advised(connector: type[Connector], name: str, tmp_path: Path) -> None:
    (found,) = _checked(connector, tmp_path, name)
    assert not found.passed
    assert len(found.advice) > 20


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_who_hoards_a_long_list_is_found(tmp_path: Path) -> None:
    (found,) = _checked(Hoards, tmp_path, _LONG)
    assert "MiB" in found.advice


def _checked(connector: type[Connector], folder: Path, name: str) -> Iterator[Check]:
    settings = Settings.load(data=folder)
    simulator: Callable[[], Simulator] = tat.TechAgainstTerrorism
    if issubclass(connector, ThreatExchange):
        simulator = threatexchange.ThreatExchange
    return check_connector(connector, simulator, lambda hosts: web_for(settings, hosts), only=[name])


def test_a_simulator_tells_who_comes_with_a_wrong_token() -> None:
    """Otherwise a check of denials would check nothing."""
    with threatexchange.ThreatExchange() as simulator:
        config = ThreatExchangeConfig(privacy_group=7001, api_token="wrong", address=f"{simulator.url}/v21.0")
        web = web_for(Settings.load(data=Path("/nowhere")), ThreatExchange.hosts(config))
        with pytest.raises(Refused) as refused:
            list(ThreatExchange(config, web, datetime.now().astimezone()).pull(""))
        assert "wrong" not in str(refused.value)
