"""Text that no database stores, told and mended in one place."""

from __future__ import annotations

import re

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""The character 0, and half a surrogate pair; the latter is what other bytes than text become."""
