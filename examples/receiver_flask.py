"""Your side of the webhook, in Flask: check the signature, do each thing once, say that it is done.

    JIKIMI_WEBHOOK_KEYS="$(jikimi webhook keys)" python examples/receiver_flask.py [PORT]

Replace `do` by what your site does. It has to be safe to call twice: we may die between doing and remembering.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from typing import Any
from wsgiref.simple_server import make_server

from flask import Flask, request

from jikimi.webhook import SignatureError, verify

KEYS = os.environ["JIKIMI_WEBHOOK_KEYS"].split()
DATABASE = os.environ.get("RECEIVER_DATABASE", "receiver.db")
WORDS = {"remove": "take down", "restrict": "hide", "restore": "show again", "suspend": "close the account of"}
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 16 * 1024 * 1024


@app.post("/jikimi")
def receive() -> tuple[dict[str, str], int]:
    """Receive one message."""
    try:
        verify(request.get_data(), request.headers.get("Jikimi-Signature", ""), KEYS)
    except SignatureError as error:
        return {"status": "unsigned", "why": str(error)}, 401
    once(request.headers["Idempotency-Key"], request.get_json())
    return {"status": "done"}, 200


def once(key: str, message: dict[str, Any]) -> None:
    """Do what a message asks for, unless it was done before; one message at a time."""
    with closing(sqlite3.connect(DATABASE, isolation_level=None)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY)")
        database.execute("BEGIN IMMEDIATE")
        if not database.execute("SELECT 1 FROM done WHERE key = ?", [key]).fetchone():
            do(message)
            database.execute("INSERT INTO done VALUES (?)", [key])
        database.execute("COMMIT")


def do(message: dict[str, Any]) -> None:
    """What your site does."""
    if message["event"] == "action":
        for target in message["targets"]:
            print(WORDS[message["action"]], target["content_id"], "because", ", ".join(message["reasons"]), flush=True)
    elif message["event"] == "appeal":
        print("tell whoever appealed:", message["appeal"]["reference"], message["appeal"]["outcome"], flush=True)


if __name__ == "__main__":
    with make_server("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8800, app) as server:
        print(f"http://127.0.0.1:{server.server_port}/jikimi", flush=True)
        server.serve_forever()
