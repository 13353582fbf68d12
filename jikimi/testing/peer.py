"""Another jikimi that shares a bank, as far as those who pull from it see: `python -m jikimi.testing.peer` serves it.

What it sends is signed as the real service signs. It can forge, replay and begin anew, as the real one never would; a
real second service is the better stand-in for all the rest.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jikimi.model.peer import PUBLIC_PREFIX, SIGNATURE, Signature, signed_text
from jikimi.testing.listserver import Asked, ListServer, Reply, run

_BANK = "shared"
_ENTRIES, _FEEDBACK = f"/v1/peer/banks/{_BANK}/entries", f"/v1/peer/banks/{_BANK}/feedback"
_ADDED_AT = "2026-01-02T03:04:05+00:00"


class PeerService(ListServer):
    """The other service. `clock` is what it signs by; `forge` may change a body after it was signed."""

    def __init__(self, key: str = "jk_of_nobody", *, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        super().__init__({"Authorization": f"Bearer {key}"}, port=port)
        self.key = key
        self.clock = clock
        self.origin = "origin1"
        self.said: list[dict[str, Any]] = []
        """Feedback as it came."""
        self.extra: list[Any] = []
        """Entries that come before all others of a page, word for word."""
        self.forge: Callable[[bytes], bytes] = lambda body: body
        self.replayed: Reply | None = None
        """An earlier answer that is given to everything from now on."""
        self.last: Reply = Reply()
        self.signs_with = Ed25519PrivateKey.generate()
        self._changes: list[int] = []
        """The entry that each change was about, in their order."""
        self._last: dict[int, int] = {}
        """The place of the last change of each entry."""
        self._gone: set[int] = set()

    @property
    def identity(self) -> str:
        """What it is known by."""
        return PUBLIC_PREFIX + self.signs_with.public_key().public_bytes_raw().hex()

    @property
    def settings(self) -> Mapping[str, object]:
        """What leads the connector here."""
        return {
            "address": self.url,
            "bank": _BANK,
            "key": self.key,
            "identity": self.identity,
            "page_size": 100,
            "trust": "confirmed",
        }

    def publish(self, count: int) -> None:
        """Share so many more entries."""
        for number in range(len(self._last) + 1, len(self._last) + count + 1):
            self._note(number)

    def withdraw(self, count: int) -> None:
        """Withdraw the oldest that are there."""
        for number in [one for one in self._last if one not in self._gone][:count]:
            self._gone.add(number)
            self._note(number)

    def begin_anew(self) -> None:
        """Be restored under the same address into another database: old checkpoints mean nothing to it."""
        self.origin += "x"

    def listed(self) -> frozenset[str]:
        """What it shares now."""
        return frozenset(f"md5:{value_of(number)}" for number in self._last if number not in self._gone)

    def answer(self, asked: Asked) -> Reply:
        """Answer as the service does, unless told to be false."""
        if self.replayed is not None:
            return self.replayed
        if (asked.method, asked.path) == ("GET", _ENTRIES):
            self.last = self._page(asked)
        elif (asked.method, asked.path) == ("POST", _FEEDBACK):
            self.said += asked.json
            self.last = self._signed(asked, {"taken": len(asked.json)})
        else:
            self.last = Reply.json({"code": "bank_unknown", "detail": "There is no such bank."}, 404)
        return self.last

    def _page(self, asked: Asked) -> Reply:
        after = asked.query.get("after", "")
        mark = hashlib.sha256(self.origin.encode()).hexdigest()[:12]
        if after and not after.endswith(f"-{mark}"):
            return Reply.json({"code": "checkpoint_stale", "detail": "Begin anew."}, 410)
        place, numbers = self._read(int(after.partition("-")[0] or 0), int(asked.query["limit"]))
        page = {
            "origin": self.origin,
            "bank": _BANK,
            "after": after,
            "checkpoint": f"{place}-{mark}",
            "entries": [*self.extra, *(_shown(number) for number in numbers if number not in self._gone)],
            "gone": [number for number in numbers if number in self._gone],
            "has_more": place < len(self._changes),
        }
        return self._signed(asked, page)

    def _read(self, place: int, limit: int) -> tuple[int, list[int]]:
        """How far one has come, and what has changed on the way there."""
        found: list[int] = []
        while place < len(self._changes) and len(found) < limit:
            number = self._changes[place]
            found += [number] if self._last[number] == place else []
            place += 1
        return place, found

    def _signed(self, asked: Asked, value: object) -> Reply:
        body = json.dumps(value).encode()
        at = int(self.clock())
        signature = self.signs_with.sign(signed_text(asked.method, asked.target, at, body))
        header = str(Signature(at=at, key=self.identity, value=signature))
        return Reply(body=self.forge(body), headers={SIGNATURE: header})

    def _note(self, number: int) -> None:
        self._last[number] = len(self._changes)
        self._changes.append(number)


def value_of(number: int) -> str:
    """The made-up value of an entry."""
    return hashlib.sha256(f"peer {number}".encode()).hexdigest()[:32]


def _shown(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "md5",
        "value": value_of(number),
        "quality": None,
        "labels": ["made-up"],
        "opinion": "positive",
        "trust": "confirmed",
        "listed_at": None,
        "added_at": _ADDED_AT,
    }


def main() -> None:
    """Serve a bank of a thousand entries, and say how to get in."""
    service = PeerService()
    service.publish(1000)
    print(f"bank {_BANK}, key {service.key}, identity {service.identity}", flush=True)
    run(service)


if __name__ == "__main__":
    main()
