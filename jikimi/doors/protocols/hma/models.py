"""Queries and bodies that HMA checks against a model; what is wrong with one is 422 and a list."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class HashQuery(BaseModel):
    """`GET /h/hash`."""

    url: str
    content_type: str | None = None
    types: str | None = None


class RawQuery(BaseModel):
    """`GET /m/raw_lookup`."""

    signal: str
    signal_type: str
    banks: str | None = None
    include_distance: bool = False


class LookupQuery(BaseModel):
    """`GET /m/lookup`."""

    url: str | None = None
    content_type: str | None = None
    types: str | None = None
    signal: str | None = None
    signal_type: str | None = None
    banks: str | None = None
    seed: str | None = None
    bypass_coinflip: bool = False


class NewBank(BaseModel):
    """`POST /c/banks`."""

    name: str
    enabled_ratio: Ratio | None = None
    enabled: bool | None = None


class BankChange(BaseModel):
    """`PUT /c/bank/NAME`."""

    name: str | None = None
    enabled_ratio: Ratio | None = None
    enabled: bool | None = None


class ExchangeChange(BaseModel):
    """`PUT /c/exchange/NAME`."""

    enabled: bool


def ratio_said(said: NewBank | BankChange) -> float | None:
    """The ratio that is asked for: `enabled_ratio` wins; `enabled` alone is all or nothing."""
    if said.enabled_ratio is not None:
        return said.enabled_ratio
    return None if said.enabled is None else float(said.enabled)


def mistakes(error: ValidationError) -> list[dict[str, Any]]:
    """What is wrong, as pydantic lists it; what was sent is repeated only if JSON can hold it."""
    return [{**one, "input": _writable(one["input"])} for one in error.errors(include_context=False)]


def _writable(untrusted: Any) -> Any:
    if isinstance(untrusted, float) and not math.isfinite(untrusted):
        return str(untrusted)
    try:
        json.dumps(untrusted, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return untrusted
