"""A stand-in of Acme's service, so that `jikimi plug check acme` can try the connector without the outside.

`python acme_simulator.py` serves it, for people who want to look at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jikimi.testing.listserver import Asked, ListServer, Reply, run
from jikimi.testing.shelf import Change, Shelf, value

_TOKEN = "a-token-of-nobody"  # noqa: S105 - it opens nothing


class AcmeSimulator(ListServer):
    """Answers as Acme does. A shelf numbers what is on the list, and remembers the order of the changes."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__({"Authorization": f"Bearer {_TOKEN}"}, port=port)
        self._shelf = Shelf()

    @property
    def settings(self) -> Mapping[str, object]:
        """What has to be typed into the form."""
        return {"address": self.url, "token": _TOKEN}

    def publish(self, count: int) -> None:
        """Put so many more on the list."""
        self._shelf.publish(count)

    def withdraw(self, count: int) -> None:
        """Take so many off the list."""
        self._shelf.withdraw(count)

    def listed(self) -> frozenset[str]:
        """What is on the list now."""
        return frozenset(f"md5:{value('md5', number)}" for number in self._shelf.live())

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.method == "POST" and asked.path.startswith("/seen/"):
            return Reply.json({})
        if asked.path != "/changes":
            return Reply.json({"error": "not found"}, 404)
        after, limit = int(asked.query["after"]), int(asked.query["limit"])
        changes = self._shelf.changes(after, limit)
        last = changes[-1].place + 1 if changes else after
        return Reply.json({"changes": [_shown(change) for change in changes], "last": last})


def _shown(change: Change) -> dict[str, Any]:
    state = "removed" if change.is_gone else "listed"
    return {"id": change.number, "md5": value("md5", change.number), "state": state, "changed": change.at}


if __name__ == "__main__":
    simulator = AcmeSimulator(port=8700)
    simulator.publish(1000)
    run(simulator)
