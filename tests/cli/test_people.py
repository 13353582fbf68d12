"""`jikimi person …`, and the link that `jikimi up` prints while there is nobody."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.model.people import Role
from tests.cli.conftest import Command
from tests.flows.signing import administrator
from tests.flows.staff import hire

_LINK = re.compile(r"http://localhost:\d+/desk/welcome/[0-9a-f]{64}")


def test_people_from_the_command_line(jikimi_on_both: Command) -> None:
    jikimi = jikimi_on_both
    with open_kit(jikimi.settings) as kit:
        hire(kit, Role.ADMINISTRATOR, name="Ada")
        hire(kit, Role.REVIEWER, Role.LEGAL, name="Bob Kim")
    listed = jikimi("person", "list", "--json").objects
    assert [(one["name"], one["roles"], one["disabled_at"]) for one in listed] == [
        ("Ada", ["administrator"], None),
        ("Bob Kim", ["legal", "reviewer"], None),
    ]
    assert "Bob Kim" in jikimi("person", "list").out

    made = jikimi("person", "invite", "--role", "reviewer", "--role", "lead", "--for", "Carol", "--json").object
    assert _LINK.fullmatch(made["link"])
    assert made["roles"] == ["lead", "reviewer"]
    assert _LINK.fullmatch(jikimi("person", "link", "bob kim").out.strip())

    assert jikimi("person", "disable", "Bob Kim").out == "Bob Kim: disabled\n"
    assert jikimi("person", "link", "Bob Kim", code=2).err.endswith("[person_disabled]\n")
    assert jikimi("person", "disable", "Ada", code=2).err.endswith("[last_administrator]\n")
    assert jikimi("person", "disable", "Nobody", "--json", code=2).err.endswith("[person_unknown]\n")
    assert jikimi("audit", "verify").out.endswith("\n")


def printed_by_up(data: Path) -> str:
    """What `jikimi up` prints before it serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jikimi", "up", "--port", "0", "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "JIKIMI_DECODE_WORKERS": "1"},
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Stop"):
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    return "".join(lines)


def test_up_prints_a_link_while_there_is_nobody(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = printed_by_up(data)
    second = printed_by_up(data)
    links = [_LINK.findall(text) for text in (first, second)]
    assert [len(found) for found in links] == [1, 1]
    assert links[0] != links[1]
    address = re.search(r"serves on http://127\.0\.0\.1:(\d+)", first)
    assert address is not None
    assert f":{address.group(1)}/desk/welcome/" in links[0][0]
    with open_kit(Settings.load(data=data)) as kit:
        administrator(kit)
    third = printed_by_up(data)
    assert _LINK.findall(third) == []
    assert re.search(r"the desk +http://localhost:\d+/desk\n", third)


def test_an_address_for_browsers_that_is_none_is_refused(jikimi: Command) -> None:
    for origin in ("http://desk.example.org", "https://desk.example.org/desk", "desk.example.org", "https://"):
        said = jikimi("person", "list", code=2, JIKIMI_DESK_ORIGIN=origin)
        assert said.err.endswith("[settings_invalid]\n"), origin
    assert jikimi("person", "list", "--json", JIKIMI_DESK_ORIGIN="https://desk.example.org:8443").out == ""
    said = jikimi("person", "list", code=2, JIKIMI_OIDC_ISSUER="https://id.example.org")
    assert "oidc_client_id" in json.dumps(said.err)
