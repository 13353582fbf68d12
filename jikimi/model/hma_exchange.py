"""Which exchanges programs written for HMA can add: its kinds ("APIs") and their fields, as ours.

HMA keeps one set of credentials for each kind, apart from the exchanges of that kind; an exchange of ours has its own.
Until there are any, an exchange is kept disabled with `NOT_GIVEN` in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jikimi.model.bank import Category
from jikimi.model.errors import Refused
from jikimi.model.form import Field, FieldType

NOT_GIVEN = "(not given yet)"
_TYPES = {
    FieldType.STRING: "string",
    FieldType.NUMBER: "number",
    FieldType.BOOLEAN: "boolean",
    FieldType.CHOICE: "enum",
    FieldType.STRINGS: "set_of_string",
    FieldType.NUMBERS: "set_of_number",
}
_LONGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One of HMA's kinds: ours, its fields by HMA's names with ours, and what its lists are about."""

    name: str
    kind: str
    credentials: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    category: Category | None = None
    """None: whatever the settings say."""

    @property
    def scope(self) -> str:
        """Under which name the credentials of this kind are kept."""
        return f"kind:{self.kind}"


APIS = {
    api.name: api
    for api in (
        Api(
            name="fb_threatexchange",
            kind="threatexchange",
            settings={"privacy_group": "privacy_group"},
            credentials={"api_token": "api_token"},
        ),
        Api(
            name="ncmec",
            kind="ncmec",
            settings={"environment": "environment", "only_esp_ids": "only_members"},
            credentials={"user": "user", "password": "password"},
            category=Category.CSAM,
        ),
        Api(
            name="stop_ncii",
            kind="stopncii",
            credentials={"fetch_function_key": "fetch_key", "subscription_key": "subscription_key"},
            category=Category.NCII,
        ),
        Api(
            name="tat",
            kind="tat",
            credentials={"username": "username", "password": "password"},
            category=Category.TERRORISM,
        ),
    )
}


def api_of_kind(kind: str) -> Api | None:
    """HMA's kind for one of ours; it does not know all."""
    return next((api for api in APIS.values() if api.kind == kind), None)


def ours(names: Mapping[str, str], untrusted: object, what: str) -> dict[str, Any]:
    """Fields under our names; `Refused` for what is no object or has others. What is null or empty is not given."""
    if not isinstance(untrusted, dict):
        raise Refused(f"{what}_invalid", f"{what} is a JSON object.")
    given = {name: value for name, value in untrusted.items() if value not in (None, "") and name not in _SAID_TWICE}
    if unknown := sorted(set(given) - set(names)):
        raise Refused(f"{what}_invalid", f"{what} has no {unknown[0][:40]!r}; it has {', '.join(names) or 'nothing'}.")
    return {names[name]: value for name, value in given.items()}


_SAID_TWICE = frozenset({"name", "api", "enabled"})
"""What HMA's own configuration repeats of an exchange."""


def checked_credentials(api: Api, untrusted: object) -> dict[str, str]:
    """All credentials of a kind, or none at all."""
    given = ours(api.credentials, untrusted, "credential_json")
    if not given:
        return {}
    for name, our_name in api.credentials.items():
        value = given.get(our_name)
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
            raise Refused("credential_json_invalid", f"{name} is missing, or is no text of one line.")
    return given


def theirs(names: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Our settings under HMA's names."""
    return {name: settings[our_name] for name, our_name in names.items() if our_name in settings}


def schema(names: Mapping[str, str], fields: tuple[Field, ...]) -> list[dict[str, Any]]:
    """The form of some fields, as HMA describes it."""
    by_name = {one.name: one for one in fields}
    return [_described(name, by_name[our_name]) for name, our_name in names.items() if our_name in by_name]


def _described(name: str, one: Field) -> dict[str, Any]:
    return {
        "name": name,
        "type": _TYPES[one.type],
        "required": one.required,
        "default": None if one.required or one.secret else one.default,
        "help": one.help,
        "choices": list(one.choices) or None,
    }
