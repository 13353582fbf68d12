"""StopNCII, as far as it is known from outside; with made-up hashes only.

    with StopNcii() as stopncii:
        hash_ = stopncii.put("ImagePDQ", at=…)
        stopncii.withdraw(hash_, at=…)
        stopncii.tear(hash_)                 # pages that hold it are not JSON

To look at it: `python -m jikimi.testing.stopncii --records 5000`.

The keys are the words `subscription`, `fetch`, `feedback` and `submit`. The token of a next page lives for
`token_lasts` seconds, and is not known afterwards.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jikimi.testing.listserver import Asked, ListServer, Reply, run

KEYS = {"FetchHashes": "fetch", "SubmitFeedback": "feedback", "SubmitHashes": "submit"}
_LENGTHS = {"ImagePDQ": 32, "VideoMD5": 16, "VideoTMK": 1024}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A record; `at` is in seconds."""

    type: str
    value: str
    at: int
    status: str = "Active"
    cases: dict[str, str] = field(default_factory=dict)
    said: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Where a token leads: into what a set was when its first page was asked for."""

    until: float
    held: list[Held]
    first: int
    next_set: int


class StopNcii(ListServer):
    """The programme. `clock` gives seconds."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        token_lasts: float = 60.0,
        subscription: str = "subscription",
        keys: Mapping[str, str] = KEYS,
        port: int = 0,
    ) -> None:
        super().__init__({"Ocp-Apim-Subscription-Key": subscription}, port=port)
        self._keys = keys
        self.submitted: list[dict[str, Any]] = []
        self.held: dict[str, Held] = {}
        """By value."""
        self._clock = clock
        self._token_lasts = token_lasts
        self._torn: set[str] = set()
        self._ways: dict[str, _Way] = {}
        self._chance = random.Random(1)

    def put(
        self,
        type_: str = "ImagePDQ",
        *,
        at: int,
        value: str = "",
        status: str = "Active",
        cases: int = 1,
        said: str = "",
    ) -> str:
        """Add a record, or change it; `said` are values of members' feedback. Its value is given back."""
        value = value or self._chance.randbytes(_LENGTHS.get(type_, 16)).hex()
        feedback = tuple({"feedbackValue": one, "tags": [], "source": "a member"} for one in said.split())
        names = {str(uuid.UUID(bytes=self._chance.randbytes(16))): status for _ in range(cases)}
        self.held[value] = Held(type=type_, value=value, at=at, status=status, cases=names, said=feedback)
        return value

    def fill(self, count: int, *, first: int = 1_650_000_000, last: int = 0) -> list[str]:
        """Add made-up hashes of pictures, spread evenly over a time; their values."""
        last = last or int(self._clock()) - 60
        return [self.put(at=first + (last - first) * number // max(count, 1)) for number in range(count)]

    def withdraw(self, value: str, *, at: int, status: str = "Withdrawn") -> None:
        """Somebody takes a hash back."""
        self.held[value] = replace(self.held[value], at=at, status=status)

    def close_cases(self, value: str, *, at: int, status: str = "Withdrawn") -> None:
        """All cases of a hash are taken back, and its own status is left as it was."""
        held = self.held[value]
        self.held[value] = replace(held, at=at, cases=dict.fromkeys(held.cases, status))

    def tear(self, value: str) -> None:
        """Break every page that holds this record."""
        self._torn.add(value)

    def mend(self) -> None:
        """Break no more pages."""
        self._torn.clear()

    def answer(self, asked: Asked) -> Reply:
        """Answer as the programme does; what stands before the last word of the path does not matter."""
        word = asked.path.rpartition("/")[2]
        if asked.headers.get("x-functions-key") != self._keys.get(word):
            return Reply(status=401)
        if word == "FetchHashes":
            return self._fetch(asked.query)
        return self._feedback(asked.json) if word == "SubmitFeedback" else self._submit(asked.json)

    def _fetch(self, query: dict[str, str]) -> Reply:
        size = int(query["pageSize"])
        way = self._way(query)
        if way is None or size < 1:
            return Reply(status=400)
        held = way.held[way.first : way.first + size]
        token = ""
        if way.first + size < len(way.held):
            token = self._chance.randbytes(12).hex()
            self._ways[token] = replace(way, first=way.first + size, until=self._clock() + self._token_lasts)
        return Reply(body=self._written(held, token, way.next_set).encode())

    def _way(self, query: dict[str, str]) -> _Way | None:
        if token := query.get("nextPageToken"):
            way = self._ways.get(token)
            return way if way is not None and self._clock() <= way.until else None
        start = int(query["startTimestamp"])
        held = sorted((one for one in self.held.values() if one.at >= start), key=lambda one: one.at)
        return _Way(until=0.0, held=held, first=0, next_set=max(int(self._clock()), start))

    def _written(self, held: list[Held], token: str, next_set: int) -> str:
        about = {"count": len(held), "nextPageToken": token or None, "nextSetTimestamp": next_set}
        head = json.dumps({**about, "hasMoreRecords": bool(token)})
        return head[:-1] + ', "hashRecords": [' + ", ".join(map(self._record, held)) + "]}"

    def _record(self, held: Held) -> str:
        text = json.dumps(
            {
                "lastModtimestamp": held.at,
                "signalType": held.type,
                "hashValue": held.value,
                "hashStatus": held.status,
                "caseNumbers": held.cases or [],
                "CSPFeedbacks": list(held.said),
            }
        )
        return text.replace('", "', '" "', 1) if held.value in self._torn else text

    def _feedback(self, body: Any) -> Reply:
        for one in body["hashFeedbacks"]:
            held = self.held.get(one["hashValue"])
            if held is None or body["count"] != len(body["hashFeedbacks"]):
                return Reply(status=400)
            said = {"feedbackValue": one["feedbackValue"], "tags": one["tags"], "source": "us"}
            others = tuple(other for other in held.said if other["source"] != "us")
            self.held[held.value] = replace(held, said=(*others, said), at=int(self._clock()))
        return Reply.json({"succeeded": True})

    def _submit(self, body: Any) -> Reply:
        for one in body["hashRecords"]:
            if one["signalType"] not in _LENGTHS or body["count"] != len(body["hashRecords"]):
                return Reply(status=400)
            self.submitted.append(one)
        return Reply.json({"succeeded": True})


def main() -> None:
    """Serve made-up hashes until interrupted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--port", type=int, default=0)
    choice = parser.parse_args()
    stopncii = StopNcii(port=choice.port)
    stopncii.fill(choice.records)
    run(stopncii)


if __name__ == "__main__":
    main()
