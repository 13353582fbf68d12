"""The tables. `migrations/` brings a database here step by step; a test holds the two against each other."""

from jikimi.db.schema.banks import banks, entries
from jikimi.db.schema.cases import case_links, cases, matches, scans
from jikimi.db.schema.enforcement import actions, appeals, deliveries
from jikimi.db.schema.evidence import evidence, evidence_keys
from jikimi.db.schema.metadata import metadata
from jikimi.db.schema.people import invitations, passkeys, people, questions, sessions, sign_in_tries
from jikimi.db.schema.record import audit, clocks, counters, jobs, keys, replies
from jikimi.db.schema.review import decisions, exposures, notes, skips, user_reports

__all__ = [
    "actions",
    "appeals",
    "audit",
    "banks",
    "case_links",
    "cases",
    "clocks",
    "counters",
    "decisions",
    "deliveries",
    "entries",
    "evidence",
    "evidence_keys",
    "exposures",
    "invitations",
    "jobs",
    "keys",
    "matches",
    "metadata",
    "notes",
    "passkeys",
    "people",
    "questions",
    "replies",
    "scans",
    "sessions",
    "sign_in_tries",
    "skips",
    "user_reports",
]
