"""Looking back: a thousand new entries against the kept signals of a million uploads.

Each upload has one picture in eight positions and three digests, so the index holds eleven million values. A twentieth
of the uploads came after the last snapshot. One new entry in ten is near an upload, in any of its positions.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np

from bench.million import MILLION
from bench.place import Place
from bench.table import Figure, milliseconds
from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.flows.bank import add_entries, create_bank
from jikimi.flows.index import follow, publish, uploads_in
from jikimi.flows.kept import standing
from jikimi.flows.look_back import look_back
from jikimi.model.bank import BankPolicy, Category, NewEntry, OnMatch
from jikimi.model.look_back import KeptUpload
from jikimi.model.match import View
from jikimi.model.media import MediaKind
from jikimi.model.scan import Content, Examination, Seen, Upload
from jikimi.model.signal import Signal, Variant
from jikimi.ports import Kit

_DIGESTS = {"sha256": 32, "sha1": 20, "md5": 16}
_BYTES = sum(_DIGESTS.values()) + 32 * len(Variant)
_A_TRANSACTION = 5000
_ENTRIES = 1000
_NEAR = 100
_FLIPPED = 20
_ROUNDS = 5
_KNOWS_ALL = 1 << 40
"""These uploads have been compared with every entry that is there already."""


def run(place: Place, quick: bool) -> list[Figure]:
    """Measure with a million uploads."""
    uploads = MILLION // 10 if quick else MILLION
    settings = Settings.load(data=place.folder / "data", database_url=place.database_url or None, decode_workers=1)
    tail = uploads // 20
    chance = np.random.default_rng(1)
    with open_kit(settings) as kit:
        create_bank(kit, "bench", BankPolicy(name="list", category=Category.OTHER, on_match=OnMatch.HOLD))
        look_back(kit)
        wrote = _timed(lambda: _keep(kit, chance, uploads - tail))
        published = _timed(lambda: publish(kit, uploads_in(kit)))
    (file,) = (settings.data / "recent").glob("*.snapshot")
    with open_kit(settings) as kit:
        _keep(kit, chance, tail)
        opened = _timed(lambda: kit.recent.sizes())
        follow(kit, uploads_in(kit))
        empty = [_turn(kit, chance, 0) for _ in range(_ROUNDS)]
        turns = [_turn(kit, chance, _NEAR) for _ in range(_ROUNDS)]
    return [
        Figure(what=f"{uploads - tail} uploads written down", value=f"{_both(wrote)}"),
        Figure(what="a snapshot of them", value=f"{_both(published)}; {file.stat().st_size / 1024**2:.0f} MiB"),
        Figure(what=f"opened, and {tail} newer uploads read", value=_both(opened)),
        Figure(what=f"a turn: {_ENTRIES} entries that nothing is near", value=_both(_middle(empty))),
        Figure(what="… the slowest of five", value=_both(max(empty))),
        Figure(what=f"a turn: {_ENTRIES} entries, {_NEAR} uploads found, judged, stored", value=_both(_middle(turns))),
        Figure(what="… the slowest of five", value=_both(max(turns))),
        Figure(what="memory of the process", value=f"{_resident() / 1024**2:.0f} MiB, most of it mapped"),
    ]


def _turn(kit: Kit, chance: np.random.Generator, count: int) -> tuple[float, float]:
    """Wall and processor time of a turn that finds so many uploads."""
    add_entries(kit, "bench", "list", [NewEntry(signal=one) for one in _new_signals(kit, chance, count)])
    began, spent = time.monotonic(), time.process_time()
    found = look_back(kit)
    took = time.monotonic() - began, time.process_time() - spent
    assert standing(kit).behind == 0
    assert count * 9 // 10 <= found <= count, found
    return took


def _new_signals(kit: Kit, chance: np.random.Generator, count: int) -> Iterator[Signal]:
    """Values of a list: most of them of nothing here, some near an upload, in some position."""
    with kit.store.read() as tx:
        near = tx.kept.some(chance.integers(1, tx.kept.sequence(), count).tolist())
    for kept in near:
        _, signal = kept.examination.seen[0].variants[int(chance.integers(len(Variant)))]
        bits = np.unpackbits(np.frombuffer(signal.value, np.uint8))
        bits[chance.choice(256, _FLIPPED, replace=False)] ^= 1
        yield Signal(type="pdq", value=np.packbits(bits).tobytes())
    for _ in range(_ENTRIES - len(near)):
        yield Signal(type="pdq", value=chance.bytes(32))


def _keep(kit: Kit, chance: np.random.Generator, count: int) -> None:
    """Uploads of the last six days, oldest first."""
    now = datetime.now(UTC)
    for first in range(0, count, _A_TRANSACTION):
        some = [
            _upload(chance.bytes(_BYTES), now - timedelta(days=6) * (1 - number / count), number)
            for number in range(first, min(first + _A_TRANSACTION, count))
        ]
        with kit.store.begin() as tx:
            tx.kept.add(some)


def _upload(values: bytes, received_at: datetime, number: int) -> KeptUpload:
    digests, at = [], 0
    for type_, length in _DIGESTS.items():
        digests.append(Signal(type=type_, value=values[at : at + length]))
        at += length
    positions = [Signal(type="pdq", value=values[at + 32 * place : at + 32 * place + 32]) for place in range(8)]
    seen = Seen(
        view=View(signal=replace(positions[0], quality=50 + number % 51)),
        variants=tuple(zip(Variant, positions, strict=True)),
    )
    return KeptUpload(
        upload=Upload(source="bench", received_at=received_at, content_id=f"post/{number}", account_id=f"of-{number}"),
        examination=Examination(
            content=Content(kind=MediaKind.JPEG, size=100_000, width=640, height=480),
            digests=tuple(digests),
            seen=(seen,),
            frames=1,
            faults=(),
        ),
        version=_KNOWS_ALL,
    )


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    began, spent = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - began, time.process_time() - spent


def _middle(turns: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return median(one for one, _ in turns), median(one for _, one in turns)


def _both(took: tuple[float, float]) -> str:
    wall, cpu = took
    if wall < 1:
        return f"{milliseconds(wall)} ({milliseconds(cpu)} of processor time)"
    return f"{wall:.1f} s ({cpu:.1f} s of processor time)"


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
