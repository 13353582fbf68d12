"""ThreatExchange as we know it, with one privacy group: `python -m jikimi.testing.threatexchange` serves it.

Like the real one it quotes the token wherever it can: in the address of the next page, and in its errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jikimi.testing.listserver import Asked, ListServer, Reply, run
from jikimi.testing.shelf import A_SECOND, BEGIN, Change, Shelf, value

GROUP = 7001
_OWNERS = (101, 102, 103)


class ThreatExchange(ListServer):
    """A group whose members share `md5` and `pdq`, by turns."""

    def __init__(self, token: str = "12|a-token-of-nobody", *, port: int = 0) -> None:  # noqa: S107
        super().__init__(port=port)
        self.token = token
        self.shelf = Shelf()
        self.extra: list[dict[str, Any]] = []
        """Updates that are listed before all others, word for word."""
        self.reactions: list[tuple[str, str]] = []
        """Reactions that came, with their descriptor."""
        self.added: list[dict[str, str]] = []
        """Descriptors that came."""

    @property
    def settings(self) -> Mapping[str, object]:
        """What leads the connector here."""
        return {"privacy_group": GROUP, "api_token": self.token, "address": f"{self.url}/v21.0", "page_size": 400}

    def publish(self, count: int) -> None:
        """Put so many more on the list."""
        self.shelf.publish(count)

    def withdraw(self, count: int) -> None:
        """Take so many off the list."""
        self.shelf.withdraw(count)

    def listed(self) -> frozenset[str]:
        """What is on the list now."""
        return frozenset(f"{_type(number)}:{value(_type(number), number)}" for number in self.shelf.live())

    def answer(self, asked: Asked) -> Reply:
        """Answer as the Graph API does."""
        token = asked.query.get("access_token", "")
        if token != self.token:
            return _error(400, 190, f"Malformed access token {token}")
        if asked.path == f"/v21.0/{GROUP}/threat_updates/":
            return self._updates(asked)
        if asked.method == "POST":
            return self._take(asked)
        return _error(404, 803, "Some of the aliases you requested do not exist")

    def _updates(self, asked: Asked) -> Reply:
        limit = int(asked.query.get("limit", "100"))
        since = int(asked.query.get("start_time", BEGIN))
        place = int(asked.query.get("after", max(since - BEGIN, 0) * A_SECOND))
        changes = self.shelf.changes(place, limit)
        data = [_update(change) for change in changes]
        if "after" not in asked.query:
            data = self.extra + data
        answer: dict[str, Any] = {"data": data}
        if len(changes) == limit:
            query = {**asked.query, "after": str(changes[-1].place + 1)}
            answer["paging"] = {"next": f"{self.url}{asked.path}?{urlencode(query)}"}
        return Reply.json(answer)

    def _take(self, asked: Asked) -> Reply:
        form = dict(parse_qsl(asked.body.decode()))
        if asked.path == "/v21.0/threat_descriptors":
            self.added.append(form)
            return Reply.json({"success": True, "id": str(900_000 + len(self.added))})
        self.reactions.append((asked.path.rpartition("/")[2], form["reactions"]))
        return Reply.json({"success": True})


def _type(number: int) -> str:
    return "md5" if number % 2 else "pdq"


def _update(change: Change) -> dict[str, Any]:
    number = change.number
    update: dict[str, Any] = {
        "id": str(10_000_000 + number),
        "indicator": value(_type(number), number),
        "type": f"HASH_{_type(number).upper()}",
        "last_updated": change.at,
        "should_delete": change.is_gone,
    }
    if not change.is_gone:
        update["descriptors"] = {"data": [_descriptor(number)]}
    return update


def _descriptor(number: int) -> dict[str, Any]:
    return {
        "id": str(50_000_000 + number),
        "owner": {"id": str(_OWNERS[number % len(_OWNERS)])},
        "status": "MALICIOUS",
        "tags": {"data": [{"id": "1", "text": "media_type_photo"}]},
    }


def _error(status: int, code: int, message: str) -> Reply:
    return Reply.json({"error": {"message": message, "type": "OAuthException", "code": code}}, status)


def main() -> None:
    """Serve a group with a thousand records, and say how to get in."""
    simulator = ThreatExchange()
    simulator.publish(1000)
    print(f"privacy_group {GROUP}, api_token {simulator.token}; the address, with /v21.0 behind it:", flush=True)
    run(simulator)


if __name__ == "__main__":
    main()
