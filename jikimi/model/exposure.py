"""What reviewers are exposed to: counted at the server, and capped.

Filters are not shown to protect (Lewitzka et al. 2026, doi 10.1007/s00426-026-02241-5: no effect of blur or greyscale
on anxiety, affect or intrusions). What is known to matter is how much and how often (Spence et al. 2024), so exposure
is metered. The defaults follow what the Internet Watch Foundation does: at most five hours a day, a break every hour,
no work in the late afternoon.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jikimi.model.bank import Category
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId, PersonId, RevealId

PREVIEW = timedelta(seconds=5)
"""What a blurred preview counts as: when the page with it is left is not known."""
MAX_REASON = 200
"""Characters of why somebody looks."""


class Level(StrEnum):
    """How much of a picture was shown, from least to most."""

    METADATA = "metadata"
    BLURRED = "blurred"
    """Small, grey and blurred, made by the server; shown on request, never because a page was opened."""
    GREY = "grey"
    """Grey, at reading size, while a key or button is held."""
    SPOT = "spot"
    """In colour, through a small round window that the reviewer moves, while a key or button is held."""
    FULL = "full"
    """In colour, whole, while a key or button is held."""


WEIGHTS = {Level.METADATA: 0.0, Level.BLURRED: 0.1, Level.GREY: 0.5, Level.SPOT: 0.5, Level.FULL: 1.0}
"""What a second at each level counts. Operators' choice, not science: nobody has measured such weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureRules:
    """What the operator chooses. Times of day are the person's own (their time zone)."""

    soft_cap: timedelta = timedelta(hours=4)
    """Weighted time a day from which the person is advised to stop."""
    hard_cap: timedelta = timedelta(hours=5)
    """Weighted time a day after which no picture is shown any more (IWF: five hours)."""
    work: timedelta = timedelta(hours=1)
    """Time with reviewing after which a break is due (IWF: a break each hour)."""
    rest: timedelta = timedelta(minutes=10)
    """How long a break lasts."""
    day_begins: time = time(5, 0)
    """When a day begins: caps are counted from then on, and before it no picture is shown if there is a `cut_off`."""
    cut_off: time | None = time(16, 0)
    """From when on no picture is shown (IWF: 16:00); none: at all hours."""
    longest_reveal: timedelta = timedelta(seconds=60)
    """A reveal that was not ended by then counts as this long, and shows nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One look at one picture. `milliseconds` is what the server measured, from the first byte sent to the release.

    `shown_at` is when the picture was handed out, which happens once; none before. `ended_at` is none while the key
    is held. `severity` is the case's, 1 to 5.
    """

    id: RevealId
    person_id: PersonId
    case_id: CaseId
    sha256: str
    level: Level
    severity: int
    reason: str
    started_at: datetime
    shown_at: datetime | None = None
    ended_at: datetime | None = None
    milliseconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a person has used today and what is left. `refusal` is the code of why nothing may be shown, or empty."""

    used: timedelta
    soft_cap: timedelta
    hard_cap: timedelta
    break_until: datetime | None
    refusal: str = ""

    @property
    def is_advised_to_stop(self) -> bool:
        """Whether the soft cap is passed."""
        return self.used >= self.soft_cap


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What one person has been exposed to, for a lead: time by level, weighted time, today and in the last week."""

    person_id: PersonId
    name: str
    today: timedelta
    week: timedelta
    week_by_level: dict[Level, timedelta]
    week_by_severity: dict[int, timedelta]


DAY = timedelta(hours=24)
"""How long a look keeps the person who had it from moving their day."""


def zone_of(name: str) -> tzinfo:
    """The time zone of this name; UTC where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


SHORTEST = timedelta(seconds=2)
"""What a look counts at least towards a cap: a key let go at once has shown the picture all the same."""


def day_began(now: datetime, zone: tzinfo, begins: time) -> datetime:
    """When the person's own day began, as UTC."""
    here = now.astimezone(zone)
    began = here.replace(hour=begins.hour, minute=begins.minute, second=begins.second, microsecond=0)
    return (began if began <= here else began - DAY).astimezone(UTC)


def length(look: Exposure, now: datetime, longest: timedelta) -> timedelta:
    """How long a look was, or has been until now."""
    if look.ended_at is not None:
        return timedelta(milliseconds=look.milliseconds)
    return min(max(now - look.shown_at, timedelta()), longest) if look.shown_at else timedelta()


def weighted(looks: Iterable[Exposure], now: datetime, longest: timedelta) -> timedelta:
    """Time over several looks, each second counted as its level weighs, and no look as less than `SHORTEST`."""
    shown_ones = (look for look in looks if look.shown_at is not None)
    return sum((WEIGHTS[look.level] * max(length(look, now, longest), SHORTEST) for look in shown_ones), timedelta())


def allowance(looks: Sequence[Exposure], rules: ExposureRules, now: datetime, zone: tzinfo) -> Allowance:
    """What may still be shown to a person who has had these looks, oldest first.

    Looks from the day before count towards the break and not towards the cap.
    """
    began = day_began(now, zone, rules.day_begins)
    used = weighted((look for look in looks if look.started_at >= began), now, rules.longest_reveal)
    until = _break_until(looks, rules, now)
    is_late = _is_late(rules, now, zone)
    refusals = {"exposure_cap": used >= rules.hard_cap, "after_hours": is_late, "break_due": until is not None}
    return Allowance(
        used=used,
        soft_cap=rules.soft_cap,
        hard_cap=rules.hard_cap,
        break_until=until,
        refusal=next((code for code, holds in refusals.items() if holds), ""),
    )


def refusal_for(found: Allowance, kinds: Collection[Category], opt_outs: Collection[Category]) -> str:
    """The code of why this person is shown nothing now, or empty. `kinds` are all that the picture may be."""
    return "opted_out" if set(kinds) & set(opt_outs) else found.refusal


def check_allowance(found: Allowance, kinds: Collection[Category], opt_outs: Collection[Category]) -> None:
    """Refuse a look that this person may not have, and say why."""
    code = refusal_for(found, kinds, opt_outs)
    if code == "opted_out":
        raise Refused("opted_out", "You have opted out of this kind of harm; hand the case over.")
    if code == "exposure_cap":
        raise Refused(
            "exposure_cap",
            "You have looked at pictures for as long as is good in one day. Cases can be decided without.",
        )
    if code == "after_hours":
        raise Refused(
            "after_hours", "No picture is shown at this hour; it can wait until tomorrow. Cases can be decided without."
        )
    if code == "break_due":
        raise Refused("break_due", "A break is due before the next picture. Cases can be decided without.")


def check_move(looks: Sequence[Exposure], rules: ExposureRules, now: datetime, zone: tzinfo) -> None:
    """Refuse another time zone to who has looked within `DAY` or is past their hour: their day would begin anew."""
    if _is_late(rules, now, zone) or any(look.started_at > now - DAY for look in looks):
        raise Refused(
            "time_zone_fixed",
            "The limits of your day go by your time zone; change it before your first picture, a day after the last.",
        )


def check_reason(untrusted_reason: str) -> str:
    """Return why somebody looks, or say what is wrong with it."""
    reason = untrusted_reason.strip()
    if not 0 < len(reason) <= MAX_REASON:
        raise Refused("reason_missing", f"Say in 1 to {MAX_REASON} characters why you need to see it.")
    return reason


def shown(look: Exposure, at: datetime, longest: timedelta) -> Exposure:
    """The look once its picture was handed out: once, and only while the key is held."""
    if look.shown_at is not None:
        raise Refused("reveal_over", "This look has been used; hold the key again for another.")
    if look.ended_at is not None or at > look.started_at + longest:
        raise Refused("reveal_over", "The key was let go before the picture came; hold it again.")
    return replace(look, shown_at=at)


def ended(look: Exposure, at: datetime, longest: timedelta) -> Exposure:
    """The look once the key was let go, or the longest time was over; one that has ended stays as it is."""
    if look.ended_at is not None:
        return look
    took = length(look, at, longest)
    return replace(look, ended_at=(look.shown_at or at) + took, milliseconds=round(took.total_seconds() * 1000))


def _is_late(rules: ExposureRules, now: datetime, zone: tzinfo) -> bool:
    """Between the cut-off and the next day's beginning, whichever of the two comes first by the clock."""
    if rules.cut_off is None:
        return False
    here, begins, ends = now.astimezone(zone).time(), rules.day_begins, rules.cut_off
    is_open = begins <= here < ends if begins < ends else here >= begins or here < ends
    return not is_open


def _break_until(looks: Sequence[Exposure], rules: ExposureRules, now: datetime) -> datetime | None:
    """Until when a break is due: somebody has looked again and again for an hour, with no rest in between."""
    begin = end = None
    for look in looks:
        until = look.started_at + length(look, now, rules.longest_reveal)
        if begin is None or end is None or look.started_at >= end + rules.rest:
            begin, end = look.started_at, until
        end = max(end, until)
    if begin is None or end is None or now >= end + rules.rest:
        return None
    # Who has worked for an hour rests from the last look on, not from when the hour was over.
    return end + rules.rest if now >= begin + rules.work else None
