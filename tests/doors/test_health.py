"""Is it alive, is it ready, what has it counted."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.flows.bank import add_entries, show_bank, withdraw_entry
from jikimi.flows.canary import BANK
from jikimi.model.bank import NewEntry
from tests.doors.conftest import Server, running, wait_until_ready


def metrics(server: Server) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of the labels' names."""
    text = server.ask("GET", "/metrics", key="read").body
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_alive_and_ready(server: Server) -> None:
    assert server.ask("GET", "/healthz", key="").body == "ok\n"
    assert server.ask("GET", "/readyz", key="").body == {"ready": True, "problems": {}}


def test_metrics_count_what_was_answered(server: Server) -> None:
    before = metrics(server)
    server.ask("POST", "/v1/scan", key="scan", body=b"")
    server.ask("POST", "/v1/scan", key="scan", body=b"%PDF")
    after = metrics(server)

    def grown(*sample: str) -> float:
        return after.get(sample, 0) - before.get(sample, 0)

    assert grown("jikimi_uploads_total", "unchecked", "scan") == 2
    assert grown("jikimi_reasons_total", "empty", "scan") == 1
    assert grown("jikimi_reasons_total", "unsupported", "scan") == 1
    assert after["jikimi_index_entries", "pdq"] >= 1
    events = (
        "canary_missed",
        "bank_flooded",
        "index_snapshot_damaged",
        "task_failed",
        "look_back_found",
        "look_back_cut",
    )
    for event in events:
        assert (f"jikimi_{event}_total",) in after
    assert after["jikimi_look_back_behind",] >= 0
    assert after["jikimi_kept_uploads",] >= 0
    assert after["jikimi_jobs", "dead"] == 0


def test_the_description_describes_itself(server: Server) -> None:
    described = server.ask("GET", "/openapi.json", key="").body
    assert described["openapi"].startswith("3.")
    for path, operations in described["paths"].items():
        for operation in operations.values():
            is_open = path in ("/healthz", "/readyz")
            assert operation["security"] == ([] if is_open else [{"key": []}])
            assert operation["summary"]


def test_a_canary_that_is_not_found_is_told_until_it_is_found_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data, JIKIMI_CANARY_SECONDS="0.3") as server:
        wait_until_ready(server)
        # Another process withdraws what the canary is known by.
        with open_kit(Settings.load(data=data)) as kit:
            with kit.store.read() as tx:
                entries = list(tx.entries.export(show_bank(kit, BANK).bank))
            for entry in entries:
                withdraw_entry(kit, "tests", BANK, entry.signal)
            problems = wait_until_ready(server, ready=False).body["problems"]
            assert "canary" in problems
            assert "clear" in problems["canary"]
            assert metrics(server)["jikimi_canary_missed_total",] >= 1
            add_entries(kit, "tests", BANK, [NewEntry(signal=entry.signal) for entry in entries])
        wait_until_ready(server)
