"""NCMEC's lists: where each of them is, what is true of all that is on it, and the settings that choose one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from urllib.parse import urlsplit

from jikimi.model.form import setting
from jikimi.plugs.exchanges.ncmec_page import Listing


class Environment(StrEnum):
    """A list, by the address it is at."""

    INDUSTRY = "https://report.cybertip.org/hashsharing"
    INDUSTRY_EXPLOITATIVE = "https://report.cybertip.org/exploitative-hashsharing"
    LAW_ENFORCEMENT = "https://lesp.ncmec.org/csam-hashsharing"
    NGO = "https://hashsharing.ncmec.org/npo"
    NGO_EXPLOITATIVE = "https://hashsharing.ncmec.org/exploitative"
    NGO_GENERATIVE_AI = "https://hashsharing.ncmec.org/generative-ai-csam"
    NGO_GENERATIVE_AI_EXPLOITATIVE = "https://hashsharing.ncmec.org/generative-ai-exploitative"
    TEST_INDUSTRY = "https://exttest.cybertip.org/hashsharing"
    TEST_INDUSTRY_EXPLOITATIVE = "https://exttest.cybertip.org/exploitative-hashsharing"
    TEST_LAW_ENFORCEMENT = "https://betalesp.ncmec.org/csam-hashsharing"
    TEST_NGO = "https://hashsharing-test.ncmec.org/npo"
    TEST_NGO_EXPLOITATIVE = "https://hashsharing-test.ncmec.org/exploitative"
    TEST_NGO_GENERATIVE_AI = "https://hashsharing-test.ncmec.org/generative-ai-csam"
    TEST_NGO_GENERATIVE_AI_EXPLOITATIVE = "https://hashsharing-test.ncmec.org/generative-ai-exploitative"


@dataclass(frozen=True, slots=True, kw_only=True)
class NcmecConfig:
    """Which list, and who we are."""

    environment: Environment = setting("List to pull, by its address.")  # noqa: RUF009 - it describes a field
    user: str = setting("User name from NCMEC.")
    password: str = setting("Password from NCMEC.", secret=True)
    only_members: frozenset[int] = setting(
        "Numbers of the members whose entries to take; all without.", default=frozenset()
    )
    since: str = setting("First day (YYYY-MM-DD, UTC) whose entries to take; all without.", default="")
    negative_reason: str = setting("Name of NCMEC's reason to give when a person decides against an entry.", default="")
    address: str = setting("Another address than that of the list, for a simulator or a relay.", default="")

    def __post_init__(self) -> None:
        if self.since:
            date.fromisoformat(self.since)
        if self.address and urlsplit(self.address).scheme not in ("http", "https"):
            raise ValueError("address: begins with https://")

    @property
    def base(self) -> str:
        """The address that all others are made from."""
        return (self.address or str(self.environment)).rstrip("/")

    @property
    def listing(self) -> Listing:
        """What is true of all entries of this list."""
        name = self.environment.name.lower()
        made = ("provenance:ai_generated",) if "generative_ai" in name else ()
        return Listing(
            labels=(f"list:{name}", *made), is_vetted="ngo" in name.split("_"), only_members=self.only_members
        )

    @property
    def first(self) -> int:
        """The second that a whole pull begins at."""
        if not self.since:
            return 0
        return max(0, int(datetime.combine(date.fromisoformat(self.since), time(), UTC).timestamp()))
