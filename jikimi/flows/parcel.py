"""What is given back leaves: one job for what one decision says to one exchange, or for one new signal.

    1  what is due is read; what may not leave by now, because the settings have changed or the record has gone, is
       withdrawn
    2  the connector gives the rest to the programme, outside of any transaction
    3  the outcome is stored
    4  without one, or with one that asks for patience, the job is put back; after the last try, or a refusal, it has
       failed and a person can try again

A worker that dies between 2 and 3 leaves a job whose lease runs out: the programme gets the same a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jikimi.flows.exchange import connector_of
from jikimi.flows.share import audit, drop, open_to
from jikimi.model.errors import JikimiError, Unavailable
from jikimi.model.exchange import Exchange, Feedback
from jikimi.model.ids import DecisionId, ShareId
from jikimi.model.job import Job, is_last_try
from jikimi.model.share import Share, ShareState, failed, sent
from jikimi.ports import Kit, Tx
from jikimi.ports.exchanges import Opined


def send(kit: Kit, job: Job) -> None:
    """Send what the job's key names; `Unavailable` asks for another try."""
    with kit.store.begin() as tx:
        exchange, parcel = _packed(kit, tx, job.key)  # 1
    if exchange is None or not parcel:
        return
    fault = _pushed(kit, exchange, list(parcel.values()))  # 2
    is_over = not isinstance(fault, Unavailable) or is_last_try(job)
    with kit.store.begin() as tx:
        _note(kit, tx, exchange, tuple(parcel), fault, is_over=is_over)  # 3
    if isinstance(fault, Unavailable) and not is_over:
        raise fault  # 4


def _packed(kit: Kit, tx: Tx, key: str) -> tuple[Exchange | None, dict[Share, Opined]]:
    due = [one for one in _due(tx, key) if one.state is ShareState.WAITING]
    exchange = tx.exchanges.by_id(due[0].exchange_id) if due else None
    may = open_to(kit, exchange) if exchange else frozenset[Feedback]()
    parcel = {}
    for share in due:
        opined = _opined(tx, share) if share.feedback in may else None
        if opined is not None:
            parcel[share] = opined
        elif drop(kit, tx, share, "record_gone" if share.feedback in may else "not_allowed"):
            audit(kit, tx, "jikimi", "share.withdrawn", share.case_id, share=share.id)
    return exchange, parcel


def _due(tx: Tx, key: str) -> Sequence[Share]:
    decision_id, slash, exchange_id = key.partition("/")
    if not slash:
        share = tx.shares.get(ShareId(key))
        return [share] if share else []
    decision = tx.decisions.get(DecisionId(decision_id))
    of_case = tx.shares.of_case(decision.case_id) if decision else ()
    mine = [one for one in of_case if (one.decision_id, str(one.exchange_id)) == (decision_id, exchange_id)]
    return [one for one in mine if one.feedback is not Feedback.NEW_SIGNAL]


def _opined(tx: Tx, share: Share) -> Opined | None:
    """What the connector gets; none if the entry was erased, or the programme has taken its record back."""
    entry = tx.entries.get(share.entry_id)
    if entry is None:
        return None
    if share.feedback is Feedback.NEW_SIGNAL:
        decision = tx.decisions.get(share.decision_id)
        if decision is None or not tx.contents.added_by_hand([entry.id]):
            return None
        return Opined(feedback=share.feedback, record="", signal=entry.signal, labels=(decision.choice.label.value,))
    holdings = tx.source_records.of_entries([entry.id]).get(entry.id, ())
    held = [one for one in holdings if (one.exchange_id, one.record) == (share.exchange_id, share.record)]
    if not held:
        return None
    return Opined(feedback=share.feedback, record=share.record, signal=entry.signal, detail=held[0].detail)


def _pushed(kit: Kit, exchange: Exchange, opined: Sequence[Opined]) -> Exception | None:
    """2. What went wrong, if anything did."""
    try:
        connector_of(kit, exchange).push(opined)
    except Exception as error:  # noqa: BLE001 - a connector may be anybody's; what happens in it is kept with the share
        return error
    return None


def _note(
    kit: Kit, tx: Tx, exchange: Exchange, shares: Sequence[Share], fault: Exception | None, *, is_over: bool
) -> None:
    now, code = kit.clock(), fault.code if isinstance(fault, JikimiError) else type(fault).__name__
    for share in shares:
        tx.shares.update(sent(share, now) if fault is None else failed(share, code, now, is_last=is_over))
    if not is_over:
        return
    verb = "share.failed" if fault else "share.sent"
    for (case_id, feedback), count in Counter((one.case_id, one.feedback.value) for one in shares).items():
        audit(kit, tx, "jikimi", verb, case_id, exchange=exchange.name, feedback=feedback, shares=count)
    if fault is not None:
        kit.tally.note("share_failed")
        kit.log.error("share_failed", exchange=exchange.name, code=code, shares=len(shares))
