"""`/c/banks` and `/c/bank/NAME`."""

from __future__ import annotations

from typing import Any

from jikimi.doors.protocols.hma.models import BankChange, NewBank, ratio_said
from jikimi.doors.protocols.hma.routing import Answer, Call
from jikimi.flows.hma import alter_bank, bank, banks, make_bank
from jikimi.flows.hma_exchange import drop_filled_bank
from jikimi.model.bank import Bank
from jikimi.model.hma import ratio_of


def list_all(call: Call) -> Answer:
    """`GET /c/banks`."""
    return Answer(json=[bank_answer(one) for one in banks(call.here.kit)])


def create(call: Call) -> Answer:
    """`POST /c/banks`."""
    said = NewBank.model_validate(call.body.json)
    ratio = ratio_said(said)
    made = make_bank(call.here.kit, call.actor, said.name, 1.0 if ratio is None else ratio, call.here.rules)
    return Answer(json=bank_answer(made), status=201)


def show(call: Call) -> Answer:
    """`GET /c/bank/NAME`. Callers forget a bank that is 404 here, so nothing else may be."""
    return Answer(json=bank_answer(bank(call.here.kit, call.path["bank_name"])))


def change(call: Call) -> Answer:
    """`PUT /c/bank/NAME`."""
    said = BankChange.model_validate(call.body.json)
    changed = alter_bank(call.here.kit, call.actor, call.path["bank_name"], new_name=said.name, ratio=ratio_said(said))
    return Answer(json=bank_answer(changed))


def delete(call: Call) -> Answer:
    """`DELETE /c/bank/NAME`, with the exchanges that fill it; one that is not there is done with as well."""
    drop_filled_bank(call.here.kit, call.actor, call.path["bank_name"])
    return Answer(json={"message": "Done"})


def bank_answer(shown: Bank) -> dict[str, Any]:
    """Write a bank."""
    return {"name": shown.policy.name, "matching_enabled_ratio": ratio_of(shown.policy)}
