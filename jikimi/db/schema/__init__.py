"""The tables. `migrations/` brings a database here step by step; a test holds the two against each other."""

from jikimi.db.schema.banks import banks, entries
from jikimi.db.schema.cases import case_links, cases, matches, scans
from jikimi.db.schema.enforcement import actions, appeals, deliveries
from jikimi.db.schema.evidence import evidence, evidence_keys
from jikimi.db.schema.exchanges import (
    bank_content_entries,
    bank_contents,
    exchange_secrets,
    exchanges,
    holdings,
    kept_uploads,
    peer_feedback,
    peers,
    shares,
    source_records,
    tombstones,
)
from jikimi.db.schema.metadata import metadata
from jikimi.db.schema.people import invitations, passkeys, people, questions, sessions, sign_in_tries
from jikimi.db.schema.record import audit, clocks, counters, jobs, keys, replies
from jikimi.db.schema.review import decisions, exposures, notes, skips, user_reports

__all__ = [
    "actions",
    "appeals",
    "audit",
    "bank_content_entries",
    "bank_contents",
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
    "exchange_secrets",
    "exchanges",
    "exposures",
    "holdings",
    "invitations",
    "jobs",
    "kept_uploads",
    "keys",
    "matches",
    "metadata",
    "notes",
    "passkeys",
    "peer_feedback",
    "peers",
    "people",
    "questions",
    "replies",
    "scans",
    "sessions",
    "shares",
    "sign_in_tries",
    "skips",
    "source_records",
    "tombstones",
    "user_reports",
]
