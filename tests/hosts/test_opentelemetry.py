"""OpenTelemetry's real SDK, and structlog: what a caller has bound is there in its tasks."""

from __future__ import annotations

import asyncio
from contextvars import Context

import pytest

from interp_pool import InterpreterPoolExecutor

pytestmark = pytest.mark.hosts
NOT_INSTALLED = "the dependency group `hosts` is not installed"
pytest.importorskip("opentelemetry.sdk", reason=NOT_INSTALLED)
structlog = pytest.importorskip("structlog", reason=NOT_INSTALLED)

import span_tasks as tasks  # noqa: E402  # it needs them
from opentelemetry import baggage, context, trace  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402

TRACER = TracerProvider().get_tracer("program")


@pytest.fixture(params=[None, "process", "thread"])
def executor(request):
    route = {} if request.param is None else {"fallback": request.param, "route": ["span_tasks"]}
    with InterpreterPoolExecutor(2, initializer=tasks.initialize, context=[tasks.caller], **route) as made:
        yield made
    del request.node.funcargs["executor"]


@pytest.fixture(autouse=True)
def _caller():
    token = tasks.caller.set(tasks.Caller())
    yield
    tasks.caller.reset(token)


def test_span_of_a_task_is_the_child_of_its_callers(executor):
    with TRACER.start_as_current_span("request") as span:
        own = span.get_span_context()
        token = context.attach(baggage.set_baggage("user", "anna"))
        future = executor.submit(tasks.span_ids)
        results = executor.map(tasks.span_ids_of, range(50))
        context.detach(token)
    found = [future.result(), *results]
    assert {(trace_id, parent, user) for trace_id, parent, _, user in found} == {(own.trace_id, own.span_id, "anna")}
    assert len({span_id for _, _, span_id, _ in found}) == 51


def test_span_of_a_task_of_a_task_is_the_child_of_its_parents():
    executor = InterpreterPoolExecutor(2, initializer=tasks.initialize, context=[tasks.caller])
    with executor, TRACER.start_as_current_span("request") as span:
        parent, child = executor.submit(tasks.nested_span_ids).result()
    own = span.get_span_context()
    assert parent[:2] == (own.trace_id, own.span_id)
    assert child[:2] == (own.trace_id, parent[2])


def test_each_coroutine_has_its_own_span(executor):
    async def serve(number):
        with TRACER.start_as_current_span(f"request {number}") as span:
            own = span.get_span_context()
            await asyncio.sleep(0)
            trace_id, parent, _, _ = await executor.run(tasks.span_ids)
            return (trace_id, parent) == (own.trace_id, own.span_id)

    async def main():
        return await asyncio.gather(*map(serve, range(5)))

    assert asyncio.run(main()) == [True] * 5


def test_all_leaves_out_the_context_of_opentelemetry_itself(caplog):
    executor = InterpreterPoolExecutor(1, initializer=tasks.initialize, context="all")
    with executor, TRACER.start_as_current_span("request") as span:
        assert executor.submit(tasks.span_ids).result()[1] == span.get_span_context().span_id
        assert trace.get_current_span() is span
    assert "current_context" in caplog.text


def bind():
    structlog.contextvars.bind_contextvars(user="anna", request=7)


def test_all_takes_what_structlog_has_bound_along():
    def submit(executor):
        bind()
        return executor.submit(tasks.bound, user="another", more=1)

    with InterpreterPoolExecutor(1, context="all") as executor:
        before, after = Context().run(submit, executor).result()
        assert before == {"event": "here", "user": "anna", "request": 7}
        assert after == {"user": "another", "request": 7, "more": 1}
        before, _ = Context().run(executor.submit, tasks.bound).result()
        assert before == {"event": "here"}
