"""Whatever the description allows, and much that it does not, is sent; no answer may be a fault of ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from jikimi.config import Settings
from jikimi.doors.api.app import build_api
from jikimi.engine.pattern import paint
from jikimi.flows.key import create_key
from jikimi.model.people import Scope
from tests.conftest import open_world
from tests.flows.story import make_bank, upload

_EXAMPLES = 12
"""Of each operation and each kind (valid and not)."""


@pytest.fixture
def secret_and_app(settings: Settings) -> Iterator[tuple[str, FastAPI]]:
    """The real application with something in it to be found."""
    with open_world(settings.model_copy(update={"max_upload_mib": 1})) as world:
        make_bank(world.kit, "known", paint(1))
        upload(world.kit, paint(1), account="a")
        secret = create_key(world.kit, "tests", "all", list(Scope))
        yield secret, build_api(world.kit, dict, "0")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_nothing_that_is_sent_makes_us_fail(secret_and_app: tuple[str, FastAPI], mode: GenerationMode) -> None:
    secret, app = secret_and_app
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) == 31
    for operation in operations:
        test = _test_of(operation, mode, secret)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the tool, about what it cannot generate
            with suppress(Unsatisfiable):  # some operations have nothing that could be sent wrongly
                test()


def _test_of(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, secret: str) -> Callable[[], None]:
    @hypothesis_settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def test(case: Case[Any], known: bool) -> None:
        if known and "name" in case.path_parameters:
            case.path_parameters["name"] = "known"
        answer = case.call(headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code < 500, case.as_curl_command()
        if answer.status_code >= 400:
            assert set(answer.json()) >= {"code", "detail"}

    return test
