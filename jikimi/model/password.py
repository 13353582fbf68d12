"""Passwords: which ones are taken.

After NIST SP 800-63B-4: length counts, rules about kinds of characters do not. What is guessed first is refused: words
of the lists of leaked passwords, rows of keys, years, and the person's own name, alone or strung together.
"""

from __future__ import annotations

import re
import unicodedata

from jikimi.model.errors import Refused

MIN_LENGTH = 12
MAX_LENGTH = 256
_LEAST_OWN = 5
"""What is left of a password without its common parts has to be at least so long."""
_LEAST_KINDS = 5
"""Fewer different characters are a pattern, not a password."""
_LEET = str.maketrans("013457@$", "oleastas")
_COMMON = (
    "password", "passwort", "passw", "qwertyuiop", "qwerty", "qwertz", "azerty", "asdfghjkl", "asdf", "zxcvbnm", "zxcv",
    "qwer", "qazwsx", "iloveyou", "letmein", "welcome", "administrator", "admin", "moderator", "reviewer", "master",
    "monkey", "dragon", "sunshine", "princess", "football", "baseball", "superman", "batman", "trustno", "shadow",
    "michael", "jordan", "hello", "secret", "changeme", "default", "login", "guest", "access", "freedom", "whatever",
    "computer", "internet", "google", "samsung", "spring", "summer", "autumn", "winter", "january", "february",
    "jikimi", "korea", "seoul", "dkssudgktpdy", "dkssud", "tkfkdgo", "rkskekfk", "alsrud",
)  # fmt: skip
"""Of the most used in leaked lists; the last ones are Korean words typed on a Latin keyboard."""
_ROWS = ("01234567890", "09876543210", "abcdefghijklmnopqrstuvwxyz")
_YEAR = re.compile(r"(19|20)\d\d")


def normalised(untrusted_password: str) -> str:
    """One form for what can be typed in several ways (NFKC), as it is hashed."""
    return unicodedata.normalize("NFKC", untrusted_password)


def checked_password(untrusted_password: str, name: str) -> str:
    """Return a new password in its one form, or say what is wrong with it."""
    password = normalised(untrusted_password)
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Refused(
            "password_length",
            f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters; a few words of your own do well.",
        )
    if _is_guessable(password.casefold(), unicodedata.normalize("NFKC", name).casefold()):
        raise Refused(
            "password_common",
            "This password is among the first to be guessed; take a few words that have no connection.",
        )
    return password


def _is_guessable(password: str, name: str) -> bool:
    """Tell whether little is left once the name and what is common are taken out."""
    if len(set(password)) < _LEAST_KINDS:
        return True
    parts = [name, *re.split(r"[\W_]+", name)]
    if any(len(part) >= 3 and part in password for part in parts):
        return True
    return min(len(_own_part(password)), len(_own_part(password.translate(_LEET)))) < _LEAST_OWN


def _own_part(password: str) -> str:
    """A password without years, rows of keys, common words and signs."""
    rest = _YEAR.sub("", re.sub(r"[\W_]+", "", password))
    for row in _ROWS:
        for length in range(len(row), 2, -1):
            for start in range(len(row) - length + 1):
                rest = rest.replace(row[start : start + length], "")
    for word in _COMMON:
        rest = rest.replace(word, "")
    return re.sub(r"(.)\1+", r"\1", rest)
