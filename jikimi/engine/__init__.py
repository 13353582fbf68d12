"""How matching works: computation only; no database, no network, no web."""
