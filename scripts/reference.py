"""Writes the reference pages from the code: `python -m scripts.reference`, or `make docs`.

Settings, commands, routes, error codes and reasons are said once, in the code; these pages repeat them for readers.
`tests/architecture/test_docs.py` fails when a page in the repository is not what comes out here. The glossary,
`docs/reference/words.md`, is written by hand and only checked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

import jikimi
import jikimi.cli
from jikimi.app import VERSION, open_kit
from jikimi.config import Settings
from jikimi.doors.api.app import build_api
from jikimi.doors.shared.errors import status_of
from jikimi.model.errors import Broken, JikimiError, Refused, Unavailable
from jikimi.model.job import MAX_TRIES
from jikimi.model.match import Ground
from jikimi.model.media import PICTURES, RETRYABLE, Reason

CODE = Path(jikimi.__file__).parent
PAGES = CODE.parent / "docs" / "reference"

_MADE = "<!-- Made by `make docs` from the code. Change the code, not this page. -->\n\n"
_FAMILIES = {"Refused": Refused, "Unavailable": Unavailable, "Broken": Broken}
_EXITS = {"Refused": 2, "Unavailable": 75, "Broken": 70}
_BOUNDS = {"Ge": ("ge", "from {}"), "Gt": ("gt", "above {}"), "Le": ("le", "to {}"), "Lt": ("lt", "below {}")}
_WIDTH = 100
_NOT_HTTP = ("cli", "app.py", "config.py")
"""Rooms whose errors no caller over HTTP can see."""
_IN_SETTINGS = {
    "`Limits.max_bytes`": "`max_upload_mib`",
    "`Limits.max_pixels`": "`max_pixels`",
    "`Limits.max_frames`": "`max_frames`, or more pixels in all than `max_total_pixels`",
    "`Limits.seconds`": "`decode_seconds`",
    "`Limits.memory_bytes`": "`decode_memory_mib`",
    "the kinds in `PICTURES`": ", ".join(sorted(kind.upper() for kind in PICTURES)),
}
"""What operators call the limits that the code names in its own way."""


def pages() -> dict[str, str]:
    """All pages by file name."""
    return {
        "settings.md": _settings(),
        "cli.md": _cli(),
        "api.md": _api(),
        "errors.md": _errors(),
        "reasons.md": _reasons(),
    }


def write() -> None:
    """Write all pages."""
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text)


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines) + "\n"


# Settings


def _settings() -> str:
    rows = []
    for name, setting in Settings.model_fields.items():
        default = "`~/.local/share/jikimi`" if setting.default_factory else f"`{_toml(setting.default)}`"
        bounds = ", ".join(_bound(one) for one in setting.metadata if type(one).__name__ in _BOUNDS)
        meaning = (setting.description or "") + (f" ({bounds})" if bounds else "")
        rows.append([f"`{name}`", f"`JIKIMI_{name.upper()}`", default, meaning])
    return (
        f"# Settings\n\n{_MADE}"
        "A setting is looked for in this order; the first that is found counts:\n\n"
        "1. an option of the command, where there is one (`--data`, `--host`, `--port`)\n"
        "2. the environment: `JIKIMI_` and the name in capitals\n"
        "3. the file `jikimi.toml` in the data folder (not `data` itself, which says where that file is)\n"
        "4. the default\n\n"
        "A name in the file that is not in the table is an error. All mistakes are reported at once. "
        "Settings are read at the start: restart the service after a change.\n\n"
        + _table(["in `jikimi.toml`", "in the environment", "default", "meaning"], rows)
        + "`JIKIMI_DEBUG=1` is no setting: it makes a command show where a fault of ours happened.\n"
    )


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, frozenset):
        return _toml(tuple(sorted(value)))
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _bound(limit: object) -> str:
    attribute, text = _BOUNDS[type(limit).__name__]
    return text.format(getattr(limit, attribute))


# Commands


def _cli() -> str:
    command: Any = typer.main.get_command(jikimi.cli.app)
    doc = jikimi.cli.__doc__ or ""
    exits = " ".join(doc.partition("Exit codes: ")[2].split())
    parts = [
        f"# Command line\n\n{_MADE}",
        "Every command takes `--help`. Errors are one line on stderr and end in a code in brackets, "
        "[explained here](errors.md).\n\n",
        "Exit codes:\n\n",
        *(f"- {one.strip().rstrip('.')}\n" for one in exits.split("·")),
        "\n",
        *_help(command, None, "jikimi"),
    ]
    return "".join(parts).rstrip() + "\n"


def _help(command: Any, parent: Any, name: str) -> Iterator[str]:
    context = command.context_class(command, info_name=name.split()[-1], parent=parent, terminal_width=_WIDTH)
    context.max_content_width = _WIDTH
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    heading = "##" if " " not in name else "###"
    yield f"{heading} {name}\n\n```text\n" + "\n".join(lines).strip("\n") + "\n```\n\n"
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _help(child, context, f"{name} {child_name}")


# API


def _api() -> str:
    with TemporaryDirectory() as folder:
        settings = Settings.load(data=Path(folder) / "data", database_url="", blobs_url="", decode_workers=1)
        with open_kit(settings) as kit:
            description = build_api(kit, dict, VERSION).openapi()
    scopes = _scopes()
    schemas = description["components"]["schemas"]
    parts = [
        f"# API\n\n{_MADE}",
        "The service describes itself at `/openapi.json`; this page is the same for people.\n\n",
        "Send a key with every call but the two health checks: `Authorization: Bearer jk_…`. "
        "`jikimi key create NAME --scope SCOPE` makes one.\n\n",
        description["info"]["description"]
        + "\n\n[All error codes](errors.md) · [all reasons](reasons.md)\n\n## Calls\n\n",
    ]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            parts.append(_call(method.upper(), path, operation, scopes))
    parts.append("## Objects\n\n")
    parts += [_object(name, schema) for name, schema in sorted(schemas.items())]
    return "".join(parts).rstrip() + "\n"


def _scopes() -> dict[str, str]:
    """By summary of a route: which scopes open it, read from its `authorised(…)` call."""
    found = {}
    for file in sorted((CODE / "doors" / "api").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                source = "".join(ast.unparse(line) for line in node.body)
                names = re.findall(r"Scope\.([A-Z]+)", source)
                for summary in _summaries(node):
                    found[summary] = " or ".join(f"`{name.lower()}`" for name in names)
    return found


def _summaries(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg == "summary" and isinstance(keyword.value, ast.Constant):
                yield str(keyword.value.value)


def _call(method: str, path: str, operation: dict[str, Any], scopes: dict[str, str]) -> str:
    summary = operation["summary"]
    text = [f"### {method} {path}\n\n{summary}" + ("" if summary.endswith("?") else ".")]
    if operation.get("description"):
        text.append(f" {operation['description']}")
    text.append(f"\n\nScope: {scopes[summary] or 'no key needed'}.\n\n")
    parameters = operation.get("parameters", ())
    rows = [[f"`{p['name']}`", p["in"], *_field(p["schema"], required=p.get("required", False))] for p in parameters]
    if rows:
        text.append(_table(["parameter", "in", "type", "", "meaning"], rows))
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        if "properties" in schema:
            fields = ", ".join(f"`{name}`" for name in schema["properties"])
            text.append(f"Body `{media_type}` with the fields {fields}.\n\n")
        else:
            text.append(f"Body `{media_type}`: {_type(schema)}.\n\n")
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            for media_type, content in answer.get("content", {}).items():
                text.append(f"Answer {status} `{media_type}`: {_type(content['schema'])}.\n\n")
    return "".join(text)


def _object(name: str, schema: dict[str, Any]) -> str:
    text = f"### {name}\n\n" + (schema["description"] + "\n\n" if schema.get("description") else "")
    if "enum" in schema:
        return text + "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n\n"
    needed = schema.get("required", ())
    rows = [[f"`{key}`", *_field(value, required=key in needed)] for key, value in schema["properties"].items()]
    return text + _table(["field", "type", "", "meaning"], rows)


def _field(schema: dict[str, Any], *, required: bool) -> list[str]:
    """Cells for type, default and meaning."""
    has_default = schema.get("default") not in (None, "")
    default = "required" if required else f"default `{str(schema['default']).lower()}`" if has_default else ""
    return [_type(schema), default, schema.get("description", "")]


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"object of {_type(values)}" if isinstance(values, dict) else "object"
    if schema.get("format") == "binary":
        return "the file"
    return str(schema.get("format") or schema.get("type", "any")) + _limits(schema)


def _limits(schema: dict[str, Any]) -> str:
    if "maxLength" in schema:
        return f", at most {schema['maxLength']} characters"
    if "minimum" in schema:
        return f" from {schema['minimum']}" + (f" to {schema['maximum']}" if schema["maximum"] < 2**53 else "")
    return ""


# Errors


@dataclass(slots=True)
class _Error:
    """What the code says about one error code."""

    family: str
    messages: dict[str, None] = field(default_factory=dict)
    rooms: dict[str, None] = field(default_factory=dict)


def _errors() -> str:
    errors: dict[str, _Error] = {}
    for file in sorted(CODE.rglob("*.py")):
        room = file.relative_to(CODE).as_posix()
        for call in _calls(file):
            family, code, message = call
            error = errors.setdefault(code, _Error(family))
            assert error.family == family, f"{code} is in two families"
            error.messages[message] = None
            error.rooms[room] = None
    rows = [
        [f"`{code}`", error.family, _status(code, error), str(_EXITS[error.family]), "<br>".join(error.messages)]
        for code, error in sorted(errors.items())
    ]
    return (
        f"# Errors\n\n{_MADE}"
        "Codes are stable: programs may switch on them. Messages may change. `{…}` stands for what is known at the "
        "time.\n\n"
        "Over HTTP, every error is a problem (RFC 9457) with a `code`. On the command line it is one line on "
        "stderr that ends in the code in brackets.\n\n"
        "| family | what to do |\n| --- | --- |\n"
        "| `Refused` | Change something in the call. |\n"
        "| `Unavailable` | Try again; over HTTP, `Retry-After` says when. Until then the upload is not checked. |\n"
        "| `Broken` | Our fault or damaged data. Nothing was stored. Look into the log. |\n\n"
        "HTTP – : the code does not come up over HTTP. The codes of the canary (`front_door_…`) and of the re-check "
        "(`recheck_…`) stand in the log and in the job table only. Where a file cannot be added to a bank at all, the "
        "code is the [reason](reasons.md).\n\n"
        + _table(["code", "family", "HTTP", "exit", "message"], rows)
        + "## Said by the doors themselves\n\n"
        + _table(["code", "where", "meaning"], _door_codes())
    )


def _calls(file: Path) -> Iterator[tuple[str, str, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FAMILIES:
            code, message = (*node.args, None, None)[:2]
            if isinstance(code, ast.Constant) and message is not None:
                yield node.func.id, str(code.value), _text(message)


def _text(message: ast.expr) -> str:
    """A message as written, with `{…}` for each value that is put in."""
    if isinstance(message, ast.Constant):
        return str(message.value)
    if isinstance(message, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{…}" for part in message.values)
    return "{…}"


def _status(code: str, error: _Error) -> str:
    if all(room.startswith(_NOT_HTTP) for room in error.rooms):
        return "–"
    family: type[JikimiError] = _FAMILIES[error.family]
    return str(status_of(family(code, "")))


def _door_codes() -> list[list[str]]:
    """Codes that are no `JikimiError`: of HTTP itself, and of lines on stderr beside the end of a command."""
    return [
        ["`request_invalid`", "HTTP 422", "The request does not have the form that the API describes."],
        ["`path_unknown`", "HTTP 404", "There is no such path."],
        ["`method_not_allowed`", "HTTP 405", "The path does not know this method."],
        ["`fault`", "HTTP 500, exit 70", "A fault of ours. Nothing was stored. It is in the log."],
        ["`line_bad`", "stderr of `bank import`", "A line of a list could not be used, and why."],
        ["`partly_added`", "stderr of `bank add`", "Not every signal of a picture could be added."],
        ["`audit_broken`", "stderr of `audit verify`, exit 1", "The audit chain does not hold."],
    ]


# Reasons


def _reasons() -> str:
    notes = _notes(CODE / "model" / "media.py") | _notes(CODE / "model" / "match.py")
    unchecked = [[f"`{one}`", _for_operators(notes[one.name]), "yes" if one in RETRYABLE else "no"] for one in Reason]
    grounds = [[f"`{one}`", notes[one.name]] for one in Ground]
    return (
        f"# Reasons\n\n{_MADE}"
        "`reasons` of an answer, strongest first. The values are stable: programs may switch on them.\n\n"
        "## Why something could not be checked\n\n"
        "Alone they make the answer `unchecked`. Beside a match the answer is `block` or `hold` all the same. "
        "`clear` never has one. What to do about each: [handle unchecked uploads](../how-to/handle-unchecked.md). "
        "*Checked again*: jikimi keeps the bytes and tries "
        f"again by itself, {MAX_TRIES} times at most.\n\n"
        + _table(["reason", "meaning", "checked again"], unchecked)
        + "## Why the answer is what it is\n\n"
        + _table(["reason", "meaning"], grounds)
    )


def _for_operators(text: str) -> str:
    for ours, theirs in _IN_SETTINGS.items():
        text = text.replace(ours, theirs)
    assert "`Limits" not in text, text
    return text


def _notes(file: Path) -> dict[str, str]:
    """The docstrings under the members of a file's enums, by name of the member."""
    notes = {}
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef):
            for member, note in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(member, ast.Assign)
                    and isinstance(member.targets[0], ast.Name)
                    and isinstance(note, ast.Expr)
                    and isinstance(note.value, ast.Constant)
                ):
                    notes[member.targets[0].id] = " ".join(str(note.value.value).split())
    return notes


if __name__ == "__main__":
    write()
