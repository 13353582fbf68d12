"""Settings of a plug-in as a form: a frozen dataclass is its description, for the desk, the command line and the docs.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Config:
        address: str = setting("Address of the list.")
        token: str = setting("Token from the programme.", secret=True)
        page_size: int = setting("Records a page.", default=800)

A field without a default is required. Allowed types: `str`, `int`, `float`, `bool`, a `StrEnum`, and frozen sets of
`str` or `int`. What is secret is text, is sealed at rest, and is never shown again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from jikimi.model.errors import Refused

C = TypeVar("C")
MAX_TEXT = 10_000
_YES = {"true", "yes", "on", "1"}
_NO = {"false", "no", "off", "0", ""}


class FieldType(StrEnum):
    """What a field holds."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    STRINGS = "strings"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form. `default` is as it would be typed; it means nothing where the field is required."""

    name: str
    type: FieldType
    help: str
    required: bool
    secret: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()


def setting(help_: str, *, default: Any = dataclasses.MISSING, secret: bool = False) -> Any:
    """Describe one field of a `Config`. What is secret is not in its `repr`, which may end up in a log."""
    return dataclasses.field(default=default, repr=not secret, metadata={"help": help_, "secret": secret}, kw_only=True)


def fields_of(config: type) -> tuple[Field, ...]:
    """The form of a `Config`; `TypeError` if it has a field of another type than those that are allowed."""
    hints = get_type_hints(config)
    return tuple(_field(one, hints[one.name]) for one in dataclasses.fields(config))


def read_config(config: type[C], untrusted: Mapping[str, object]) -> C:
    """Make a `Config` of values as they were typed, or as JSON has them; `Refused` lists every mistake."""
    known = {field.name: field for field in fields_of(config)}
    hints = get_type_hints(config)
    mistakes = [f"{name}: there is no such setting" for name in sorted(set(untrusted) - set(known))]
    values: dict[str, Any] = {}
    for name, field in known.items():
        given = untrusted.get(name)
        if given is None or given == "":
            if field.required:
                mistakes.append(f"{name}: is missing ({field.help})")
            continue
        try:
            values[name] = _read(field, hints[name], given)
        except ValueError as error:
            mistakes.append(f"{name}: {error}")
    if not mistakes:
        try:
            return config(**values)
        except ValueError as error:
            mistakes.append(str(error))
    raise Refused("config_invalid", f"The settings need a change: {'; '.join(mistakes)}.")


def plain_values(config: object) -> dict[str, Any]:
    """A `Config` as JSON values, without what is secret."""
    return {
        one.name: _plain(getattr(config, one.name))
        for one in dataclasses.fields(config)  # type: ignore[arg-type]
        if not one.metadata.get("secret")
    }


def secret_values(config: object) -> dict[str, str]:
    """What is secret of a `Config`."""
    return {
        one.name: getattr(config, one.name)
        for one in dataclasses.fields(config)  # type: ignore[arg-type]
        if one.metadata.get("secret")
    }


def _field(one: dataclasses.Field[Any], hint: Any) -> Field:
    type_ = _type(hint)
    required = one.default is dataclasses.MISSING
    return Field(
        name=one.name,
        type=type_,
        help=one.metadata.get("help", ""),
        secret=bool(one.metadata.get("secret")),
        required=required,
        default="" if required else _typed(one.default),
        choices=tuple(hint) if type_ is FieldType.CHOICE else (),
    )


def _type(hint: Any) -> FieldType:
    if hint is bool:
        return FieldType.BOOLEAN
    if hint in (int, float):
        return FieldType.NUMBER
    if hint is str:
        return FieldType.STRING
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return FieldType.CHOICE
    if get_origin(hint) is frozenset and get_args(hint)[0] in (str, int):
        return FieldType.NUMBERS if get_args(hint)[0] is int else FieldType.STRINGS
    raise TypeError(f"a setting cannot be {hint!r}")


def _typed(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, frozenset):
        return ", ".join(map(str, sorted(value)))
    return str(value)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else str(value) if isinstance(value, StrEnum) else value


def _read(field: Field, hint: Any, given: object) -> Any:
    if isinstance(given, str) and len(given) > MAX_TEXT:
        raise ValueError(f"is longer than {MAX_TEXT} characters")
    if field.type is FieldType.BOOLEAN:
        return _boolean(given)
    if field.type is FieldType.CHOICE:
        if given not in field.choices:
            raise ValueError(f"is one of {', '.join(field.choices)}")
        return hint(given)
    if field.type in (FieldType.STRINGS, FieldType.NUMBERS):
        parts = given.split(",") if isinstance(given, str) else given
        if not isinstance(parts, list | tuple | frozenset | set):
            raise ValueError("is a list, with commas between")
        texts = [str(part).strip() for part in parts if str(part).strip()]
        return frozenset(_number(text, int) for text in texts) if field.type is FieldType.NUMBERS else frozenset(texts)
    if field.type is FieldType.NUMBER:
        return _number(given, hint)
    if not isinstance(given, str):
        raise ValueError("is text")
    return given


def _boolean(given: object) -> bool:
    text = str(given).strip().lower()
    if text not in _YES | _NO:
        raise ValueError("is true or false")
    return text in _YES


def _number(given: object, type_: type) -> Any:
    try:
        return type_(str(given).strip())
    except ValueError as error:
        raise ValueError("is a number") from error
