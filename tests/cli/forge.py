"""Processes that run the command, made from one that has loaded everything already.

Every call is a process of its own, with its own arguments, environment, standard streams and exit code, as if it had
been started anew; only the second of loading libraries is spared. `test_start` starts the command in the usual way.
Run as a module: reads one request as JSON a line, and answers each with the exit code.
"""

from __future__ import annotations

import json
import os
import sys

import jikimi.app
import jikimi.cli.demo
import jikimi.cli.diagnosis
import jikimi.doors.shared.answers
import jikimi.doors.shared.text
from jikimi.cli import main


def serve() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(request)
            main()
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(request: dict[str, list[str]]) -> None:
    for descriptor, file in enumerate(request["streams"]):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(file, flags, 0o600), descriptor)
    sys.stdin = open(0, closefd=False)
    os.environ.clear()
    os.environ.update(dict(pair.split("=", 1) for pair in request["environment"]))
    sys.argv = ["jikimi", *request["arguments"]]


if __name__ == "__main__":
    assert jikimi.app.VERSION
    serve()
