"""Lists at an address, whole each time, with an `ETag`: plain, Project VIC and graded ones.

`python -m jikimi.testing.lists` serves a Project VIC file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

from jikimi.testing.listserver import Asked, ListServer, Reply, run
from jikimi.testing.shelf import Shelf, value

_HEADER = "X-List-Token"


class WholeList(ListServer):
    """A list of lines, `md5:…`."""

    type = "text/plain"

    def __init__(self, token: str = "a-token-of-nobody", *, port: int = 0) -> None:  # noqa: S107
        super().__init__({_HEADER: token}, port=port)
        self.token = token
        self.shelf = Shelf()
        self.body = self._written()

    @property
    def settings(self) -> Mapping[str, object]:
        """What leads the connector here."""
        return {"url": f"{self.url}/list", "header": _HEADER, "token": self.token}

    def publish(self, count: int) -> None:
        """Put so many more on the list."""
        self.shelf.publish(count)
        self.body = self._written()

    def withdraw(self, count: int) -> None:
        """Take so many off the list."""
        self.shelf.withdraw(count)
        self.body = self._written()

    def listed(self) -> frozenset[str]:
        """What is on the list now."""
        return frozenset(f"md5:{value('md5', number)}" for number in self.shelf.live())

    def answer(self, asked: Asked) -> Reply:
        """Answer with the whole list, or that nothing has changed."""
        if asked.path != "/list":
            return Reply.json({"detail": "not found"}, 404)
        tag = f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'
        if asked.headers.get("if-none-match") == tag:
            return Reply(status=304, headers={"ETag": tag})
        return Reply(body=self.body, type=self.type, headers={"ETag": tag})

    def _written(self) -> bytes:
        return "".join(self.text()).encode()

    def text(self) -> Iterator[str]:
        """The list, part by part."""
        return (f"md5:{value('md5', number)}\n" for number in self.shelf.live())


class VicsFile(WholeList):
    """A file of media as Project VIC writes it."""

    type = "application/json"
    context = '"odata.metadata":"http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml/US/$metadata#Media"'

    def text(self) -> Iterator[str]:
        """The file, medium by medium."""
        yield "{" + self.context + ',"value":['
        for place, number in enumerate(self.shelf.live()):
            yield ("," if place else "") + json.dumps(_medium(number))
        yield "]}"


class GradedList(WholeList):
    """A list with a heading and grades."""

    type = "text/csv"

    def text(self) -> Iterator[str]:
        """The list, row by row."""
        yield "Id,MD5,Category,Self-Generated,PhotoDNA\n"
        for number in self.shelf.live():
            yield f"g{number},{value('md5', number).upper()},{'ABC'[number % 3]},{'no'},\n"


def _medium(number: int) -> dict[str, object]:
    return {
        "MediaID": number,
        "Category": 1,
        "MD5": value("md5", number).upper(),
        "MediaSize": 1000 + number,
        "IsPrecategorized": "True",
        "DateUpdated": "2025-06-07T02:31:49.8300Z",
        "MediaFiles": [{"MD5": "of a file", "FileName": "a name that is not read"}],
    }


def main() -> None:
    """Serve a file of a thousand media."""
    simulator = VicsFile()
    simulator.publish(1000)
    run(simulator)


if __name__ == "__main__":
    main()
