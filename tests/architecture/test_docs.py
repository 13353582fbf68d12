"""The documentation says what the code says: generated pages are up to date, words and links lead somewhere."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from jikimi.model.bank import Category, OnMatch
from jikimi.model.case import CaseState
from jikimi.model.exchange import Feedback, Opinion, Trust
from jikimi.model.match import Disposition
from jikimi.model.media import Reason
from jikimi.model.people import Role, Scope
from jikimi.model.signal import SIGNAL_KINDS, Variant
from jikimi.model.signin import Proof
from scripts import reference

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WORDS = (reference.PAGES / "words.md").read_text()
OF_THE_FIELD = (
    "bank", "bank entry", "signal", "exchange", "match", "verdict", "case", "decision", "notice", "obligation",
    "action", "report", "evidence", "policy pack",
)  # fmt: skip


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.pages()


@pytest.mark.parametrize("name", ["settings.md", "cli.md", "api.md", "errors.md", "reasons.md"])
def test_a_reference_page_is_what_the_code_gives(pages: dict[str, str], name: str) -> None:
    assert (reference.PAGES / name).read_text() == pages[name], f"docs/reference/{name} is out of date: run `make docs`"


def test_every_generated_page_is_compared(pages: dict[str, str]) -> None:
    assert {file.name for file in reference.PAGES.glob("*.md")} == {*pages, "words.md"}


@pytest.mark.parametrize("word", OF_THE_FIELD)
def test_the_words_of_the_field_are_explained_once(word: str) -> None:
    assert WORDS.count(f"| **{word}** |") == 1


@pytest.mark.parametrize(
    "values",
    [Disposition, Category, OnMatch, CaseState, Scope, Variant, Role, Proof, Opinion, Trust, Feedback],
)
def test_closed_sets_are_listed_in_the_words(values: type[StrEnum]) -> None:
    assert [one for one in values if f"`{one}`" not in WORDS] == []


def test_signal_types_are_listed_in_the_words() -> None:
    assert [name for name in SIGNAL_KINDS if f"`{name}`" not in WORDS] == []


def test_words_lead_to_the_code_or_say_that_it_is_to_come() -> None:
    for word, where in re.findall(r"^\| \*\*(.+?)\*\* \|.*\| (.+?) \|$", WORDS, re.MULTILINE):
        name = word.replace(" ", "_")
        if where == "*later*":
            assert not (reference.CODE / "model" / f"{name}.py").exists(), f"{word} is built: say where"
        else:
            assert (reference.CODE / where.strip("`")).is_file(), f"{word}: there is no {where}"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_advice(reason: Reason) -> None:
    assert f"## {reason}\n" in (ROOT / "docs" / "how-to" / "handle-unchecked.md").read_text()


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_that_are_named_exist(page: Path) -> None:
    known = re.findall(r"^#+ jikimi ?(.*)$", (reference.PAGES / "cli.md").read_text(), re.MULTILINE)
    groups = {name.split()[0] for name in known if " " in name}
    for first, second in re.findall(r"[`$] ?jikimi ([a-z]+)(?: ([a-z]+))?", page.read_text()):
        name = f"{first} {second}" if first in groups and second else first
        assert name in known, f"there is no `jikimi {name}`"
