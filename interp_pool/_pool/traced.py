"""Outcomes of tasks that are traced: what their workers have measured comes with them, and is noted here."""

from interp_pool._pool.outcomes import result_size
from interp_pool._wire.messages import NESTED_DONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._pool.kernel import Kernel
    from interp_pool._wire.messages import ResultItem


def note_traced(kernel: "Kernel", work_id: int, wrapped: "Any", seconds: "Any") -> "ResultItem":
    """Note what was measured of a task, if the pool is traced; return its outcome. With the lock held.

    Doing so again changes nothing.
    """
    kind, body, measured = wrapped
    if kernel.tracer is not None:
        outcome = body[0] if kind == NESTED_DONE else kind
        size = result_size(outcome, body[1] if kind == NESTED_DONE else body)
        task = kernel.tasks.in_flight.get(work_id)
        ran: float = seconds[0] if _is_metered(seconds) else seconds
        kernel.tracer.note_outcome(task, work_id, (outcome, size), measured, ran, kernel.tasks, kernel.staff)
    return kind, work_id, body, seconds


def _is_metered(seconds: object) -> bool:
    """Return whether a message of a task tells a tuple, see Metered, in place of the seconds."""
    return isinstance(seconds, tuple)
