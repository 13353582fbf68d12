"""A case from the queue to a decision that holds: where to read each part of the story.

    1  `queue`: it is found, taken and kept
    2  `look`: everything about it is read, without a picture, and notes are written
    3  `expose`: if that is not enough, a picture is shown, counted and capped
    4  `decide`: it is decided, a second person agrees or does not, it is undone
    5  `consequence`: what follows from a decision happens with it, and is taken back with it

Doors import what they need from here.
"""

from __future__ import annotations

from jikimi.flows.decide import confirm, decide, decide_same, decline, undo
from jikimi.flows.look import (
    AccountView,
    CaseView,
    ContentView,
    OtherMatches,
    TimelineEvent,
    look,
    note,
    other_matches,
)
from jikimi.flows.queue import QueuePage, QueueRow, extend, hand_over, queue, skip, take, take_next
from jikimi.model.queue import Filter

__all__ = [
    "AccountView", "CaseView", "ContentView", "Filter", "OtherMatches", "QueuePage", "QueueRow", "TimelineEvent",
    "confirm", "decide", "decide_same", "decline", "extend", "hand_over", "look", "note", "other_matches", "queue",
    "skip", "take", "take_next", "undo",
]  # fmt: skip
