"""Mutated pages of programmes against their readers: a page becomes records and faults, or is none."""

from __future__ import annotations

import random
from collections.abc import Iterator

from jikimi.model.exchange import SourceRecord
from jikimi.plugs.exchanges.ncmec_page import Listing, read_entries, read_reasons
from jikimi.plugs.exchanges.stopncii_page import read_hashes, read_way_on
from jikimi.testing.ncmec import NAMESPACE, affirmed, denied
from tests.fuzz.lists import is_sound
from tests.fuzz.mutate import mutated

_PDQ = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
_MD5 = "d41d8cd98f00b204e9800998ecf8427e"
_ENTRIES = (
    f'<?xml version="1.0" encoding="UTF-8"?><queryResult xmlns="{NAMESPACE}"><images count="1">'
    '<image><member id="42">A &amp; B</member><timestamp>2017-10-24T15:00:00Z</timestamp><id>i1</id>'
    f"<fingerprints><md5>{_MD5}</md5><pdna>a1</pdna><pdq>{_PDQ}</pdq></fingerprints>"
    f"<feedback>{affirmed('MD5')}{denied('PDQ')}</feedback></image>"
    '<deletedImage><member id="43">C</member><id>i2</id></deletedImage></images>'
    "<paging><next>/v2/entries?from=a&amp;start=1001&amp;size=1000&amp;max=3000</next></paging></queryResult>"
)
_RECORD = (
    f'{{"lastModtimestamp": 1700000000, "signalType": "ImagePDQ", "hashValue": "{_PDQ}", "hashStatus": "Active", '
    '"caseNumbers": {"a": "Active"}, "CSPFeedbacks": [{"feedbackValue": "Blocked", "tags": [], "source": "a"}]}'
)
_HASHES = (
    '{"count": 2, "nextPageToken": "abc", "nextSetTimestamp": 99, "hasMoreRecords": true, "hashRecords": '
    f"[{_RECORD}, {_RECORD.replace('Active', 'Withdrawn')}]}}"
)


class Feeds:
    """Pages as NCMEC and StopNCII give them."""

    name = "feed"

    def __init__(self) -> None:
        self._good = [_ENTRIES.encode(), _HASHES.encode()]

    def inputs(self, chance: random.Random) -> Iterator[bytes]:
        """Good pages, changed."""
        while True:
            yield mutated(chance, chance.choice(self._good), self._good)

    def problem_with(self, content: bytes) -> str:
        """What is wrong with how this page was read; empty if nothing is."""
        try:
            read_reasons(content)
            entries = read_entries(content, Listing())
            return _problem(entries.records, entries.faults)
        except ValueError:
            read_way_on(content)
        try:
            hashes = read_hashes(content)
        except ValueError:
            return ""
        return _problem(hashes.records, hashes.faults)

    def close(self) -> None:
        """Nothing is held."""


def _problem(records: tuple[SourceRecord, ...], faults: tuple[str, ...]) -> str:
    if any(_PDQ in fault or _MD5 in fault for fault in faults):
        return "a fault tells a value"
    if any(record.withdrawn and record.signals for record in records):
        return "a tombstone has signals"
    return "" if all(is_sound(signal) for record in records for signal in record.signals) else "a signal is unsound"
