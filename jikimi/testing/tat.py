"""The hash list of Tech Against Terrorism as we know it: `python -m jikimi.testing.tat` serves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from jikimi.testing.listserver import Asked, ListServer, Reply, run
from jikimi.testing.shelf import A_SECOND, BEGIN, Change, Shelf, value

_TYPES = ("md5", "sha1", "sha256", "pdq")
_PAGE = 100


class TechAgainstTerrorism(ListServer):
    """The platform; one user, whose token changes with every sign-in."""

    def __init__(self, password: str = "a-password-of-nobody", *, port: int = 0) -> None:  # noqa: S107
        super().__init__(port=port)
        self.password = password
        self.shelf = Shelf()
        self.extra: list[Any] = []
        """Records that are listed before all others, word for word."""
        self._signed_in = 0

    @property
    def settings(self) -> Mapping[str, object]:
        """What leads the connector here."""
        return {"username": "somebody", "password": self.password, "address": self.url}

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
        """Answer as the platform does."""
        if (asked.method, asked.path) == ("POST", "/token-auth/tcap/"):
            form = dict(parse_qsl(asked.body.decode()))
            if form.get("password") != self.password:
                return Reply.json({"detail": f"no such user with {form.get('password')}"}, 400)
            self._signed_in += 1
            return Reply.json({"token": f"token-{self._signed_in}", "user": {}})
        if asked.headers.get("authorization") != f"Bearer token-{self._signed_in}":
            return Reply.json({"detail": "denied"}, 401)
        if asked.path == "/api/hash-list/v2/all":
            return self._page(asked)
        return Reply.json({"detail": "not found"}, 404)

    def _page(self, asked: Asked) -> Reply:
        after = asked.query.get("after", "")
        changes = self.shelf.changes(self._place(after), _PAGE)
        last = f"{changes[-1].at},{changes[-1].number}" if changes else after
        has_more = bool(self.shelf.changes(changes[-1].place + 1, 1)) if changes else False
        results = [*([] if after else self.extra), *map(_result, changes)]
        next_ = f"{self.url}{asked.path}?limit={_PAGE}&offset={_PAGE}" if has_more else None
        return Reply.json(
            {"count": len(results), "next": next_, "previous": None, "checkpoint": last, "results": results}
        )

    def _place(self, after: str) -> int:
        """The first change behind a checkpoint: of a later second, or of the same and of a record further on."""
        if not after:
            return 0
        at, number = (int(part) for part in after.split(","))
        first = (at - BEGIN) * A_SECOND
        passed = [one.place for one in self.shelf.changes(first, A_SECOND) if one.at == at and one.number <= number]
        return passed[-1] + 1 if passed else first


def _type(number: int) -> str:
    return _TYPES[number % len(_TYPES)]


def _result(change: Change) -> dict[str, Any]:
    type_ = _type(change.number)
    return {
        "hash_digest": value(type_, change.number),
        "algorithm": type_.upper(),
        "ideology": "far-right" if change.number % 3 else "islamist",
        "file_type": "jpg" if type_ == "pdq" else "mp4",
        "deleted": change.is_gone,
        "updated_on": float(change.at),
        "created_on": "2025-06-15T15:06:40.267447",
        "id": change.number,
    }


def main() -> None:
    """Serve a list of a thousand records, and say how to get in."""
    simulator = TechAgainstTerrorism()
    simulator.publish(1000)
    print(f"username somebody, password {simulator.password}; the address:", flush=True)
    run(simulator)


if __name__ == "__main__":
    main()
