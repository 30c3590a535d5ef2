"""Tasks with spans of OpenTelemetry, and one that logs with structlog. For the tests of hosts."""

from __future__ import annotations

from contextvars import ContextVar

from opentelemetry import baggage, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from structlog import contextvars

from interp_pool import current_executor


class Caller:
    """Is pickled as the traceparent of the span that is current then."""

    def __reduce__(self):
        carrier = {}
        propagate.inject(carrier)
        return propagate.extract, (carrier,)


caller = ContextVar("caller")


def initialize():
    trace.set_tracer_provider(TracerProvider())


def span_ids():
    """Return the trace, the parent and the span of this task, and the caller's baggage."""
    with trace.get_tracer("tasks").start_as_current_span("task", context=caller.get()) as span:
        context = span.get_span_context()
        return context.trace_id, span.parent.span_id, context.span_id, baggage.get_baggage("user", caller.get())


def span_ids_of(_):
    return span_ids()


def nested_span_ids():
    """Return those of this task, and of a task of it."""
    with trace.get_tracer("tasks").start_as_current_span("task", context=caller.get()) as span:
        caller.set(Caller())
        context = span.get_span_context()
        own = context.trace_id, span.parent.span_id, context.span_id
        return own, current_executor().submit(span_ids).result()


def bound(**more):
    """Return what structlog would log of the context, then with something more in it."""
    before = contextvars.merge_contextvars(None, "info", {"event": "here"})
    contextvars.bind_contextvars(**more)
    return before, contextvars.get_contextvars()
