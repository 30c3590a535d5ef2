"""Everything that crosses a queue between pool and worker: its shape, and nothing else.

Both sides import this file, and it is all they share. A payload is what `interp_api.encode` makes.

    to the workers            (work_id, payload of (function, args, kwargs)), a task;
                              (-work_id, payload, flags), a task that is timed, if the flags have TIMED;
                              (-work_id, payload of (function, (items,), {}), flags), a batch of map, if they have
                              BATCH; with SINGLE each item is the only argument of its call, and not the tuple of all;
                              None, an end: one worker ends
    to one starting worker    Setup, as a tuple
    to one worker's control   (CONTROL_INTERRUPT, work id): stop that task, if it runs;
                              (CONTROL_WHERE, work id, id of a SimpleQueue): put there where it is, as a tuple of
                              (file, line, function), outermost first, or None if it does not run
    from the workers          (kind, number, body, seconds)
    on a worker's board       three integers of 8 bytes that the worker writes and the pool reads at any time: the work
                              id of the task it runs, negative once that has ended; when the last timed task began, 0
                              until it is unpickled; when a task was last struck. Times are in ns on the monotonic clock

    kind                 number      body                                            seconds
    BATCH_PART           work id     payload of (results, failures by position)      0
    BATCH_DONE           work id     the same, the last                              the batch ran
    VALUE                work id     the result itself, a scalar                     the task ran
    DATA                 work id     payload of a result without code, see below     the task ran
    RESULT               work id     payload of any other result                     the task ran
    TASK_FAILED          work id     failure: what the task raised                   the task ran
    TASK_UNREADABLE      work id     failure: what unpickling the task raised        0
    RESULT_UNSENDABLE    work id     failure: what pickling the result raised        the task ran
    WORKER_READY         worker id   None                                            the initializer ran
    INITIALIZER_FAILED   worker id   failure                                         0
    WORKER_LEAVING       worker id   whether it took an end (or reached a limit)   0
    WORKER_LOST          worker id   (work id or None, failure or text)              0
    WORKER_LEFT          worker id   None: its last result item is in the queue      0
    WORKER_ENDED         worker id   None                                            0
    POOL_CALLED          0           None: look at the pool's state                  0

DATA is a pickle that names no class and no function: unpickling it runs nobody's code, so it may happen in any thread
and under any lock.

A batch sends what it has when it has run for a while, so that no result waits long behind an unfinished item; a failure
in it is (TASK_FAILED or RESULT_UNSENDABLE, failure).

The last three are put by the worker's thread, outside, or by the pool itself. A failure is
(payload of the exception or None, its notes, type name, qualified name, module, message, summary, traceback text or the
places it would name, the innermost last).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_api._transfer import Payload as Payload  # noqa: PLC0414  # for the other files

TIMED, BATCH, SINGLE = 1, 2, 4  # flags of a call item

CONTROL_INTERRUPT, CONTROL_WHERE = range(2)

INITIALIZING = 1 << 62
"""On a board, in place of a work id: the worker runs the initializer."""

(
    BATCH_PART,
    BATCH_DONE,
    VALUE,
    DATA,
    RESULT,
    TASK_FAILED,
    TASK_UNREADABLE,
    RESULT_UNSENDABLE,
    WORKER_READY,
    INITIALIZER_FAILED,
    WORKER_LEAVING,
    WORKER_LOST,
    WORKER_LEFT,
    WORKER_ENDED,
    POOL_CALLED,
) = range(15)

type Place = tuple[str, int, str]
"""File, line and function."""
type Failure = tuple[Payload | None, tuple[str, ...], str, str, str, str, str, str | tuple[Place, ...]]
type ResultItem = tuple[int, int, Any, float]
type Setup = tuple[int, str, bool, Payload | None, Payload, int, int | None, memoryview | None]
"""Worker id, thread name or "", whether the user chose it, payload of (initializer, initargs) or None, payload of the
warning filters, task limit or 0, most threads that tasks may leave or None, the board."""
