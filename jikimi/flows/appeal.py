"""An appeal is settled."""

from __future__ import annotations

from dataclasses import replace

from jikimi.model.appeal import Appeal, AppealState
from jikimi.model.decision import Decision, is_upheld
from jikimi.ports import Kit, Tx


def settle(kit: Kit, tx: Tx, appeal: Appeal, decision: Decision) -> Appeal:
    """Store what a second look has found."""
    first = tx.decisions.get(appeal.decision_id)
    assert first is not None
    state = AppealState.UPHELD if is_upheld(first.choice, decision.choice) else AppealState.OVERTURNED
    done = replace(appeal, state=state, decided_by=decision.by, decided_at=kit.clock(), note=decision.choice.note)
    tx.appeals.update(done)
    return done
