"""Is it alive, is it ready, what has it counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import PlainTextResponse

from jikimi.doors.shared.auth import authorised
from jikimi.flows.enforce import outbox
from jikimi.flows.exchange import vital_signs
from jikimi.flows.kept import standing
from jikimi.model.action import ActionState
from jikimi.model.errors import JikimiError
from jikimi.model.exchange import Health
from jikimi.model.people import Scope
from jikimi.ports import Kit

EVENTS = (
    "canary_missed",
    "bank_flooded",
    "index_snapshot_damaged",
    "task_failed",
    "evidence_unsealed",
    "action_dead",
    "exchange_failed",
    "look_back_found",
    "look_back_cut",
    "signals_not_kept",
)
"""What operators should hear of; each is a metric from the start, so that an alarm can be set on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyAnswer:
    """Whether uploads can be checked now, and what is wrong where something is."""

    ready: bool
    problems: dict[str, str]


def routes(kit: Kit, problems: Callable[[], dict[str, str]]) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`; `problems` names what keeps the service from being ready."""
    router = APIRouter(tags=["health"])
    registry = CollectorRegistry()
    registry.register(_Collector(kit))

    @router.get("/healthz", summary="Is the process alive?", response_class=PlainTextResponse)
    def alive() -> str:
        return "ok\n"

    @router.get("/readyz", summary="Can uploads be checked?", responses={503: {"model": ReadyAnswer}})
    def ready(response: Response) -> ReadyAnswer:
        found = problems()
        response.status_code = 503 if found else 200
        return ReadyAnswer(ready=not found, problems=found)

    @router.get("/metrics", summary="Counts, for Prometheus", response_class=PlainTextResponse)
    def metrics(request: Request) -> Response:
        authorised(kit, request, Scope.READ)
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


class _Collector(Collector):
    """Writes what the process has counted, and how much the index and the job table hold."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        totals = self._kit.tally.totals()
        uploads = CounterMetricFamily(
            "jikimi_uploads", "Uploads by source and answer.", labels=["source", "disposition"]
        )
        for (source, disposition), count in totals.uploads.items():
            uploads.add_metric([source, disposition], count)
        yield uploads
        reasons = CounterMetricFamily("jikimi_reasons", "Why answers were what they were.", labels=["source", "reason"])
        for (source, reason), count in totals.reasons.items():
            reasons.add_metric([source, reason], count)
        yield reasons
        for event in EVENTS:
            yield CounterMetricFamily(
                f"jikimi_{event}", f"Times that this happened: {event}.", totals.events.get(event, 0)
            )
        entries = GaugeMetricFamily("jikimi_index_entries", "Entries in the index, by signal type.", labels=["type"])
        for type_, size in self._kit.index.sizes().items():
            entries.add_metric([type_], size)
        yield entries
        decoder = self._kit.reader.decoder
        yield CounterMetricFamily("jikimi_decoder_crashes", "Files that crashed the codec.", decoder.crashes)
        yield CounterMetricFamily("jikimi_decoder_restarts", "Decoders that had to be started anew.", decoder.restarts)
        yield from self._jobs()
        yield from self._actions()
        yield from self._exchanges()
        yield from self._look_back()

    def _jobs(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("jikimi_jobs", "Jobs by state.", labels=["state"])
        try:
            with self._kit.store.read() as tx:
                counts = tx.jobs.counts()
        except JikimiError:
            return
        for state in ("waiting", "dead"):
            jobs.add_metric([state], counts.get(state, 0))
        yield jobs

    def _exchanges(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("jikimi_exchange_age_seconds", "Since its list was pulled.", labels=["exchange"])
        failures = GaugeMetricFamily("jikimi_exchange_failures", "Pulls failed in a row.", labels=["exchange"])
        overdue = GaugeMetricFamily("jikimi_exchange_overdue", "1: its list is too old.", labels=["exchange"])
        try:
            standing = vital_signs(self._kit)
        except JikimiError:
            return
        for sign in standing:
            age.add_metric([sign.name], sign.age.total_seconds())
            failures.add_metric([sign.name], sign.failures)
            overdue.add_metric([sign.name], int(sign.health is Health.OVERDUE))
        yield from (age, failures, overdue)

    def _look_back(self) -> Iterator[Metric]:
        if not self._kit.look_back:
            return
        try:
            now = standing(self._kit)
        except JikimiError:
            return
        yield GaugeMetricFamily("jikimi_kept_uploads", "Uploads whose signals are kept, about.", now.kept)
        yield GaugeMetricFamily("jikimi_look_back_behind", "Changes of entries not looked back yet.", now.behind)

    def _actions(self) -> Iterator[Metric]:
        actions = GaugeMetricFamily("jikimi_actions", "Actions by state.", labels=["state"])
        try:
            standing = outbox(self._kit)
        except JikimiError:
            return
        for state in ActionState:
            actions.add_metric([state], standing.counts.get(state, 0))
        yield actions
        oldest = standing.oldest_waiting
        seconds = (self._kit.clock() - oldest).total_seconds() if oldest else 0.0
        yield GaugeMetricFamily("jikimi_action_oldest_waiting_seconds", "How long the oldest action waits.", seconds)
