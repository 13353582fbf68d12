"""Bring the catalogues up to the source: `python -m scripts.translate`. What has no translation yet is listed."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

CODE = Path(__file__).parents[1] / "jikimi"
LOCALE = CODE / "doors" / "locale"
_METHODS = [("doors/desk/**.py", "python"), ("doors/templates/**.html", "jinja2")]
_OPTIONS = {"doors/templates/**.html": {"newstyle_gettext": "true"}}
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}


def wanted() -> Catalog:
    """Every text of the pages."""
    template = Catalog()
    found = extract_from_dir(CODE, _METHODS, _OPTIONS, keywords=_KEYWORDS)
    for file, _, message, _, context in sorted(found, key=lambda one: (one[0], one[1])):
        template.add(message, None, [(file, 1)], context=context)
    return template


def updated(language: str) -> Catalog:
    """A catalogue as it stands, with every text that is wanted and no other."""
    file = LOCALE / language / "LC_MESSAGES" / "jikimi.po"
    with file.open("rb") as text:
        catalog = read_po(text, locale=language)
    catalog.update(wanted(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def missing(catalog: Catalog) -> list[str]:
    """Texts without a translation."""
    return [str(message.id) for message in catalog if message.id and not all(_strings(message.string))]


def _strings(string: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [string or ""] if string is None or isinstance(string, str) else list(string)


def main() -> None:
    """Write the Korean catalogue anew."""
    catalog = updated("ko")
    out = BytesIO()
    write_po(out, catalog, width=120, sort_output=True, include_lineno=False, omit_header=False)
    (LOCALE / "ko" / "LC_MESSAGES" / "jikimi.po").write_bytes(out.getvalue())
    for text in missing(catalog):
        sys.stderr.write(f"not translated: {text}\n")


if __name__ == "__main__":
    main()
