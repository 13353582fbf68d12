"""The shape of the code: rooms without cupboards for odds and ends, imports in one direction, stable error codes."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "jikimi").rglob("*.py"))
_CUPBOARDS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base", "tools", "stuff"}
_FAMILIES = {"Refused", "Unavailable", "Broken"}

_PUBLISHED = {
    "Refused": {
        "address_taken", "allow_needs_sha256", "bank_distance_invalid", "bank_exists", "bank_name_invalid",
        "bank_quality_invalid", "bank_text_too_long", "bank_unknown", "body_incomplete", "body_too_large",
        "case_unknown", "data_unusable", "database_url_invalid", "entry_unknown", "file_missing", "file_unreadable",
        "form_invalid", "key_exists", "key_invalid", "key_name_invalid", "key_unknown", "list_has_bad_lines",
        "not_confirmed", "nothing_to_add", "quality_invalid", "quality_low", "reference_invalid",
        "sandbox_unavailable", "scan_unknown", "scope_missing", "settings_invalid", "signal_form_invalid",
        "signal_type_missing", "signal_type_unknown", "signal_value_invalid", "strict_needs_file", "value_unstorable",
    },
    "Unavailable": {"blobs_unavailable", "store_unavailable"},
    "Broken": {"case_version", "snapshot_damaged", "store_failed"},
}  # fmt: skip
"""Codes that integrations may switch on: new ones may come, none of these may go or change its family."""


def error_codes() -> Iterator[tuple[str, str, str]]:
    """Every code with its family and where it is raised."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FAMILIES):
                continue
            code = node.args[0] if node.args else None
            if isinstance(code, ast.Constant) and isinstance(code.value, str):
                yield code.value, node.func.id, f"{path.relative_to(ROOT)}:{node.lineno}"


@pytest.mark.parametrize("folder", ["jikimi", "tests", "scripts", "bench"])
def test_no_file_is_a_cupboard_for_odds_and_ends(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    named = {*files, *(path.parent for path in files)}
    assert not [str(path) for path in named if path.stem.lower() in _CUPBOARDS]


def test_no_room_is_empty() -> None:
    for folder in {path.parent for path in SOURCES} | {path for path in (ROOT / "jikimi").rglob("*") if path.is_dir()}:
        if folder.name == "__pycache__" or any(part.startswith(".") for part in folder.parts):
            continue
        assert [path for path in folder.iterdir() if path.name not in ("__init__.py", "__pycache__")], folder


def test_imports_never_come_back_to_where_they_began() -> None:
    graph = grimp.build_graph("jikimi", exclude_type_checking_imports=True, cache_dir=None)
    imports = {
        module: {one for one in graph.find_modules_directly_imported_by(module) if one != module}
        for module in graph.modules
    }
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1][::-1]))


def test_a_code_belongs_to_one_family() -> None:
    families: dict[str, set[str]] = defaultdict(set)
    for code, family, _ in error_codes():
        families[code].add(family)
    assert {code: found for code, found in families.items() if len(found) > 1} == {}


def test_a_code_is_a_plain_name() -> None:
    for code, _, where in error_codes():
        assert code.isascii(), where
        assert code.replace("_", "").isalnum(), where
        assert code == code.lower(), where


def test_published_codes_stay_as_they_are() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for code, family, _ in error_codes():
        found[family].add(code)
    for family, codes in _PUBLISHED.items():
        assert codes <= found[family], codes - found[family]


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not [path for path in silent if "migrations" not in path]


def test_tests_run_the_real_thing() -> None:
    """No test puts something else in the place of our own modules."""
    banned = ("unittest" + ".mock", "monkey" + "patch", "mock" + "er.", "mock" + ".patch")
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text()
        assert not [word for word in banned if word in text], path
