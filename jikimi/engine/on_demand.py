"""An index that is opened when it is first searched.

Most commands never search: `bank add` on ten million entries must not read them all to add one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from jikimi.engine.index import Index
from jikimi.model.signal import MOST_HITS, Hit, Signal
from jikimi.ports import Newer


class IndexOnDemand:
    """An index with the call that fills it, which is made once, before the first answer."""

    def __init__(self, index: Index, fill: Callable[[], None]) -> None:
        self._index = index
        self._fill = fill
        self._filling = Lock()
        self._is_open = False

    @property
    def sequence(self) -> int:
        """The highest change number contained."""
        return self._opened().sequence

    def sizes(self) -> Mapping[str, int]:
        """Rows held, by signal type."""
        return self._opened().sizes()

    def search(self, signals: Sequence[Signal], radii: Mapping[int, int], most: int = MOST_HITS) -> list[list[Hit]]:
        """The entries near each signal; see `Index.search`."""
        return self._opened().search(signals, radii, most)

    def catch_up(self, newer: Newer) -> None:
        """Add what is newer. As long as nobody has searched there is nothing to be kept up to date."""
        if self._is_open:
            self._index.catch_up(newer)

    def start_over(self, newer: Newer) -> None:
        """Forget everything for what `newer` yields; see `Index.start_over`."""
        self._opened().start_over(newer)

    def _opened(self) -> Index:
        with self._filling:
            if not self._is_open:
                # Set first: filling uses `catch_up`. Searches wait at the lock until it is done.
                self._is_open = True
                try:
                    self._fill()
                except BaseException:
                    self._is_open = False
                    raise
        return self._index
