"""How the world comes in. A door reads untrusted input, calls one flow, and writes its answer."""
