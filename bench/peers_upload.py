"""Uploads over HTTP: `POST /v1/scan` beside a Flask server of the peers' make, same client, same run.

Photographs that come with open-source packages, cut out in many places, become JPEGs of two megapixels, each sent as a
whole body. Both servers hold the same bank of ten millions. The peer has one worker
process for each of two processors (`bench.peers_server`); ours is `jikimi up` as it comes, with its locked children,
three digests, all eight positions, and its key. They take turns for some seconds each, and medians count.
"""

from __future__ import annotations

import http.client
import itertools
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.million import MILLION, write_list
from bench.peers_folder import SIZE, fill, listed
from bench.photographs import photographs
from bench.place import Place
from bench.table import Figure, milliseconds, percentile
from tests.e2e.node import START_SECONDS, Node, family, running

CLIENTS = 4
SECONDS = 10.0
ROUNDS = 3
WORKERS = 2
_LISTS = 10
_PICTURES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server: where to send to, and whose processor time counts."""

    port: int
    pid: int
    path: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One round: requests a second, processor time of the server for each, and what the slower ones took."""

    rate: float
    spent: float
    p50: float


def run(place: Place, quick: bool) -> list[Figure]:
    """Fill a bank, start both servers, and load them in turn; nothing where no package has brought photographs."""
    if not photographs():
        return []
    entries = MILLION // 10 if quick else MILLION
    node = Node(place.folder / "data", database_url=place.database_url)
    node.furnish(block=[])
    values = place.folder / "values"
    with values.open("wb") as file:
        for number in range(_LISTS):
            write_list(place.folder / "list.txt", entries, seed=number)
            node.run("bank", "import", "block", place.folder / "list.txt")
            file.write(bytes.fromhex("".join(listed(place.folder / "list.txt"))))
    contents = [path.read_bytes() for path in fill(place.folder / "photographs", _PICTURES)]
    return measure(node, values, contents, SECONDS / 10 if quick else SECONDS)


def measure(node: Node, values: Path, contents: Sequence[bytes], seconds: float = SECONDS) -> list[Figure]:
    """Load a node and the peer's server in turn; the node is started and stopped."""
    seen: dict[str, list[Seen]] = {"peer": [], "ours": []}
    with running(node), peers_server(values) as peer:
        ours = Target(
            port=int(node.address.rpartition(":")[2]),
            pid=node.pid,
            path="/v1/scan",
            headers={"Authorization": f"Bearer {node.key}", "Content-Type": "application/octet-stream"},
        )
        for target in (peer, ours):
            load(target, contents, 1.0)
        for _ in range(ROUNDS):
            seen["peer"].append(load(peer, contents, seconds))
            seen["ours"].append(load(ours, contents, seconds))
        node.stop()
    middle = {
        who: [statistics.median(getattr(one, name) for one in rounds) for name in ("rate", "spent", "p50")]
        for who, rounds in seen.items()
    }
    (peer_rate, peer_spent, peer_p50), (rate, spent, p50) = middle["peer"], middle["ours"]
    size = sum(len(content) for content in contents) // len(contents) // 1000
    return [
        Figure(
            what="uploads",
            value=f"JPEGs of {SIZE[0]} x {SIZE[1]}, {size} kB each; bank of {values.stat().st_size // 32}; "
            f"{CLIENTS} clients on the same processors",
        ),
        Figure(
            what="`POST /v1/scan`: requests a second",
            value=f"{rate:.1f}",
            peer="Flask server",
            theirs=f"{peer_rate:.1f}",
            ratio=rate / peer_rate,
        ),
        Figure(
            what="… a request (CPU)",
            value=milliseconds(spent / 1e3),
            peer="Flask server",
            theirs=milliseconds(peer_spent / 1e3),
            ratio=peer_spent / spent,
        ),
        Figure(
            what="… a request (p50, waiting)",
            value=milliseconds(p50 / 1e3),
            peer="Flask server",
            theirs=milliseconds(peer_p50 / 1e3),
            ratio=peer_p50 / p50,
        ),
    ]


@contextmanager
def peers_server(values: Path) -> Iterator[Target]:
    """The peer's server, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "bench.peers_server:build()", "--preload"]
    command += ["--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}"]
    environment = {**os.environ, "PEERS_VALUES": os.fspath(values)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield Target(port=port, pid=server.pid, path="/scan", headers={})
        finally:
            server.terminate()


def load(target: Target, contents: Sequence[bytes], seconds: float) -> Seen:
    """Send as fast as is answered, from a few clients at once."""
    took: list[float] = []
    began, spent = time.monotonic(), _family_seconds(target.pid)
    clients = [
        threading.Thread(target=_client, args=(target, contents, number, began + seconds, took.append))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    lasted, spent = time.monotonic() - began, _family_seconds(target.pid) - spent
    return Seen(rate=len(took) / lasted, spent=spent / len(took) * 1e3, p50=percentile(took, 0.5) * 1e3)


def _client(target: Target, contents: Sequence[bytes], number: int, end: float, took: Callable[[float], None]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=START_SECONDS)
    for content in itertools.islice(itertools.cycle(contents), number, None, CLIENTS):
        if time.monotonic() > end:
            break
        began = time.monotonic()
        connection.request("POST", target.path, body=content, headers=target.headers)
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 200, reply.status
        took(time.monotonic() - began)
    connection.close()


def _family_seconds(pid: int) -> float:
    """Processor time of a process, its descendants, and those of them that have ended."""
    ticks = 0
    for one in family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
