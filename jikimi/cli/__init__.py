"""The command line. Commands are loaded when they are called, so that `jikimi --help` answers at once.

Exit codes: 0 done (for `scan` and `match`: all clear) · 1 something matched, or a check failed · 2 something has to be
changed in the call, or nothing matched but something is unchecked · 70 our fault · 75 try again later · 130
interrupted.
"""

from __future__ import annotations

import os
import sys

import typer

from jikimi.cli import actions, banks, evidence, exchanges, files, peers, people, plugs, records, service, shares
from jikimi.cli.terminal import complain
from jikimi.model.errors import Broken, JikimiError, Unavailable

app = typer.Typer(
    name="jikimi",
    help="Finds known abuse pictures at upload, opens the case, and accounts for every step.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
service.attach(app)
files.attach(app)
banks.attach(app)
exchanges.attach(app)
records.attach(app)
actions.attach(app)
people.attach(app)
evidence.attach(app)
shares.attach(app)
peers.attach(app)
plugs.attach(app)


def main() -> None:
    """Run one command; every error is one line on stderr."""
    try:
        app()
    except JikimiError as error:
        complain(error.code, error.message, error.detail)
        sys.exit(75 if isinstance(error, Unavailable) else 70 if isinstance(error, Broken) else 2)
    except BrokenPipeError:
        # Whoever read our output has seen enough. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("JIKIMI_DEBUG"):
            raise
        complain("fault", f"something of ours went wrong: {error!r}; JIKIMI_DEBUG=1 shows where")
        sys.exit(70)
