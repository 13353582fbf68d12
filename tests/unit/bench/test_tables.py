"""The tables of the benches say who won, and the plot is drawn from the same rows."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from bench.corpora import RADIUS, corpus, questions
from bench.growth import drawn, measured
from bench.table import Figure, microseconds, printed, ratios
from jikimi.engine import kernel_numpy

FIGURES = [
    Figure(what="1 M uniform: matches of a query", value="0.5"),
    Figure(
        what="1 M uniform: one query",
        value=f"{microseconds(20.4)} (p99 {microseconds(61)})",
        peer="faiss flat (from 20 M)",
        theirs=f"{microseconds(1402)} (p99 {microseconds(1_900_000)})",
        ratio=1402 / 20.4,
    ),
    Figure(what="1 M crowds: one query", value="9 ms", peer="faiss flat", theirs="8 ms", ratio=8 / 9),
]


def test_what_has_no_peer_stands_in_a_table_of_its_own() -> None:
    assert "| 1 M uniform: matches of a query | 0.5 |" in printed("search", FIGURES)
    assert "faiss" not in printed("search", FIGURES)
    assert printed("search", FIGURES[1:]) == ""


def test_the_table_of_ratios_says_what_lost() -> None:
    table = ratios(FIGURES)
    assert "| faiss flat (from 20 M) | 1.4 ms (p99 1.9 s) | **69×** |" in table
    assert "| faiss flat | 8 ms | 0.89× (lost) |" in table
    assert "matches" not in table


def test_the_plot_is_drawn_from_the_printed_rows() -> None:
    points = measured(ratios(FIGURES))
    assert points == {"jikimi": {1e6: 20.0}, "faiss flat": {1e6: 1400.0}}
    names = [element.text for element in ElementTree.fromstring(drawn(points)).iter() if element.text]  # noqa: S314
    assert {"jikimi", "faiss flat"} <= set(names)


@pytest.mark.parametrize(
    ("kind", "least"), [("uniform", 10), ("families", 10), ("crowds", 1000), ("adversarial", 1000)]
)
def test_half_of_the_questions_are_near_an_entry(kind: str, least: int) -> None:
    values = corpus(kind, 20_000)
    asked = questions(values, 20)
    found = kernel_numpy.within(values, None, asked, RADIUS)
    assert set(range(0, 20, 2)) <= set(found.query.tolist())
    assert len(found.row) >= least
    assert np.array_equal(values, corpus(kind, 20_000))
