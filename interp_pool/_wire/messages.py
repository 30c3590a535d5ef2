"""Everything that crosses a queue between pool and worker: its shape, and nothing else.

Both sides import this file, and it is all they share. A payload is what `interp_api.encode` makes.

    to the workers            (work_id, payload of (function, args, kwargs)), a task;
                              (-work_id, payload, flags), a task that is timed, if the flags have TIMED;
                              (-work_id, payload of (function, (items,), {}), flags), a batch of map, if they have
                              BATCH; with SINGLE each item is the only argument of its call, and not the tuple of all;
                              with SPLIT it may give items back, and says when it has begun, like a timed task;
                              with REPORTS somebody hears what each item tells of its progress;
                              with PROFILED it tells what its items have taken (`_worker.profiling`);
                              with TRACED its outcome is TASK_TRACED;
                              any of these with METERED: the seconds of its outcome are then a tuple, see Metered;
                              None, an end: one worker ends
    to one starting worker    Setup, a tuple, bound in its `__main__` until the worker begins
    to one control thread     questions, in a queue that is there only while somebody asks: (work id, id of a
                              SimpleQueue), put there where the task is (`_wire.answer`), as a tuple of (file, line,
                              function), outermost first, or None if it does not run
    from the workers          (kind, number, body, seconds)
    on a worker's board       integers of 8 bytes, each written by one side and read by the other at any time

    cell of a board   written by   what it is; times are in ns on the monotonic clock
    TASK              worker       the work id of the task it runs, negative once that has ended
    BEGAN             worker       when the last timed task began, 0 until it is unpickled
    STRUCK            worker       when a task was last struck
    PREPARED          worker       whether it is prepared, and from now on runs the program's code
    MAY_RECYCLE       pool         whether it may end at a limit and leave threads behind
    GIVE_BACK         pool         the work id of a batch that is to give back what has not begun, if it runs; likewise
    QUESTIONS         pool         the id of the queue of questions, see above; then it rings
    RETIRE            pool         1 - TASK, read from the board: end, unless TASK is another one by now; then it rings
                                   all that wait for call items
    RENEW             pool         1: end before looking for the next call item; then it rings all likewise.
                      worker       2: it takes none any more
    LOGS             pool         the id of a SimpleQueue that has what `_worker.logs` is to follow; then it rings
    OFFER            pool         another number than before: send tasks of the task that runs; then it rings
    WANTED           pool         how many tasks of tasks could be begun at once; 0 until somebody has told
    LOGS_UNREAD      pool         whether errors are logged that nobody has asked for
    HAS_ROUTES       pool         whether some tasks run elsewhere: then the pool sees each before it is run
    KEPT             worker       how many tasks of its tasks it has not begun and not sent
    IN_PLACE         worker       how many tasks of its tasks it has run itself, so far
    LEVELS           worker       how many tasks wait, one on top of the other, in its stack
    DEEPEST          worker       most of these so far
    AWAITED          worker       the number of the task that the topmost one waits for, -1 for one of several, or 0
    ASKED            worker       how many times tasks were told that a child of theirs is not done, so far
    PLACE            worker       where its thread sleeps, see `PoolQueue.own_place`, plus one; 0 until it has
    BURIED_COUNT     worker       how many of the cells behind this one are in use
    BURIED           worker       the first of MOST_BURIED cells: the work ids of tasks that wait while another one,
                                  which is on TASK, runs on top of them
    BURIED_BEGAN     worker       the first of as many: BEGAN of these
    INTERRUPT         pool         the first of MOST_INTERRUPTS cells, taken in turn: the work ids of tasks to stop, if
                                  they run, or wait for one on top of them; then it rings

    kind                 number      body                                            seconds
    BATCH_REST           work id     how many of its items a batch keeps             it has run
    BATCH_PART           work id     payload of a part, see below                    0
    BATCH_DONE           work id     the same, the last                              the batch ran
    VALUE                work id     the result itself, a scalar                     the task ran
    DATA                 work id     payload of a result without code, see below     the task ran
    RESULT               work id     payload of any other result                     the task ran
    TASK_FAILED          work id     failure: what the task raised                   the task ran
    TASK_UNREADABLE      work id     failure: what unpickling the task raised        0
    RESULT_UNSENDABLE    work id     failure: what pickling the result raised        the task ran
    WORKER_READY         worker id   None                                            the initializer ran
    INITIALIZER_FAILED   worker id   failure                                         0
    WORKER_LEAVING       worker id   whether it took an end or reached a limit,      0
                                     None if it retired
    WORKER_LOST          worker id   (work id or None, failure or text)              0
    WORKER_LEFT          worker id   None: its last result item is in the queue      0
    WORKER_ENDED         worker id   None                                            0
    POOL_CALLED          0           None: look at the pool's state                  0
    PARENT_ASKED         worker id   (what the program is to tell, id of a           0
                                     SimpleQueue): put (True, that) there, or
                                     (False, a text why there is none)
    MODULE_REFUSED       worker id   (work id or what else is on the board, refusal) 0
    MODULE_REPLACED      worker id   replacement                                     0
    ITEM_FAILED          work id     what an item of the next part has raised, in    0
                                     one line, for the log if nobody takes the part
    NESTED_DONE          work id     (kind, body) of the outcome of a nested task    the task ran
    NESTED_TASKS         worker id   (id of a PoolQueue, work id, children): tasks   0
                                     of a task; see below
    NESTED_ASKED         worker id   (what, numbers of children, seconds): see       0
                                     below
    TOLD                 work id     (topic, worker id, work ids of what waits       0
                                     below it, body): what a task tells while it
                                     runs, see `_worker.telling`; 0 if none runs
    TASK_TRACED          work id     (kind, body, measured) of its outcome           as the outcome's

DATA is a pickle that names no class and no function: unpickling it runs nobody's code, so it may happen in any thread
and under any lock.

A batch sends what it has when it has run for a while, so that no result waits long behind an unfinished item. A part is
(place of its first result in the batch, results, failures by position among them); a failure is (TASK_FAILED or
RESULT_UNSENDABLE, failure). Who deals with a message may be struck, and another deals with it again: by its place the
consumer tells a part that it has taken already. BATCH_REST comes before its outcome, more than once perhaps, with
the same number: the items behind it were not begun, and never will be in this batch.

WORKER_LOST, WORKER_LEFT and WORKER_ENDED are put by the worker's thread, outside, POOL_CALLED by the pool itself. A
failure is (payload of the exception or None, its notes, type name, qualified name, module, message, summary, traceback
text or the places it would name, the innermost last, refusal or None).

Of a task that submits tasks to its own pool, its children, each has a number of its worker's. A child is (number,
payload, its module or None, its qualified name, payload of its options or None, whether nobody waits for it). The queue
is where the worker gets what becomes of them, as (number, kind, body), and before that what they have REPORTED.

    RECALL           give it back, if no worker has begun it: kind is RETURNED, or HANDED with a call item in body, or
                     BEGUN
    DROP             cancel it, if no worker has begun it: kind is CANCELLED, or BEGUN
    STOP             interrupt them; they have so many seconds
    TAKE_BACK        what was HANDED was not begun, unless it has ended, and is not going to be: have somebody else run
                     it
    LEAVE            their parent has ended, and nobody waits for them any more; of what was HANDED as with TAKE_BACK

A refusal is what the exception comes from if that is a module that cannot be loaded in a subinterpreter: what to call
it, its name or "", who imports whom, from the task's function down to it, and whether that has begun. MODULE_REFUSED
comes before the outcome of the first task that fails of it, for its future may be one that nobody reads.
MODULE_REPLACED comes before the outcome of a task, when a module that wanted a refused one was imported all the same,
by it or by the initializer.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from interp_api import Payload as Payload  # noqa: PLC0414  # for the other files

TIMED, BATCH, SINGLE, SPLIT, NESTED, REPORTS, PROFILED, TRACED, METERED = (1 << bit for bit in range(9))
"""Flags of a call item."""

(
    TASK,
    BEGAN,
    STRUCK,
    PREPARED,
    MAY_RECYCLE,
    GIVE_BACK,
    QUESTIONS,
    RETIRE,
    RENEW,
    LOGS,
    OFFER,
    WANTED,
    LOGS_UNREAD,
    HAS_ROUTES,
    KEPT,
    IN_PLACE,
    LEVELS,
    DEEPEST,
    AWAITED,
    ASKED,
    PLACE,
    BURIED_COUNT,
    BURIED,
) = range(23)
MOST_BURIED = 100
BURIED_BEGAN = BURIED + MOST_BURIED
INTERRUPT, MOST_INTERRUPTS = BURIED_BEGAN + MOST_BURIED, MOST_BURIED + 1
BOARD = range(INTERRUPT + MOST_INTERRUPTS)
"""The cells of a board."""

INITIALIZING = 1 << 62
"""On a board, in place of a work id: the worker runs the initializer."""

SETUP = "__interp_pool_setup__"
"""What the setup is called in `__main__`."""

(
    BATCH_REST,
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
    PARENT_ASKED,
    MODULE_REFUSED,
    ITEM_FAILED,
    MODULE_REPLACED,
    NESTED_DONE,
    NESTED_TASKS,
    NESTED_ASKED,
    TOLD,
    TASK_TRACED,
) = range(25)

PROGRESS, LOG, OUTPUT, PROFILE, LEFT_OUT = "progress", "log", "output", "profile", "left out"
"""The topics of what is told: what tasks report; their records, see `_worker.forwarding`; whether lines are of the
standard error, and these as one text without the last end; (file, marshalled statistics, why there are none), one of
the last two None; a line on a context variable that a worker does not find."""

RECALL, DROP, STOP, LEAVE, TAKE_BACK = range(5)
"""What a worker asks of the children of its tasks."""

REPORTED, RETURNED, HANDED, BEGUN, CANCELLED = range(-5, 0)
"""What it reports, and what becomes of a child, beside the kinds of outcomes."""

type Report = tuple[float, float | None, str | None, int | None, str, str]
"""What a task has reported: what `Progress` is made of, but for an item of a map its place in its batch."""
type Place = tuple[str, int, str]
"""File, line and function."""
type When = Literal["loading", "running", "returning"]
"""What a worker did with a task when an exception came."""
type Refusal = tuple[str, str, tuple[str, ...], str | None]
"""What to call a module, its name or "", the chain of imports, and "module:function" of the task if that has begun: ""
if it is not known, None while the task is being unpickled."""
type Noted = tuple[Refusal, tuple[str, ...], str]
"""A refusal, the modules that were being imported, the innermost first, and the route for what led there."""
type Replacement = tuple[Refusal, str, str, tuple[str, ...]]
"""A refusal, the module that goes on without, the route, the other modules of the package that are refused."""
type Failure = tuple[Payload | None, tuple[str, ...], str, str, str, str, str, str | tuple[Place, ...], Refusal | None]
type Metered = tuple[float, int, float]
"""Seconds, when it began in ns on the monotonic clock, and seconds that pickling the result took."""
type Child = tuple[int, Payload, str | None, str, Payload | None, bool]
type ResultItem = tuple[int, int, Any, float]
type Inner = tuple[str, int, int, bool]
"""Of a task that was run in place: its name, when it began and ended, in ns, whether it has failed."""
type Measured = tuple[int, int, int, int, int, int, tuple[Inner, ...]]
"""The worker's id; when it took the task, when the function was called, 0 if it was not, and when the result was
encoded, in ns; how many modules were imported meanwhile; how many tasks waited below; what was run in place."""
type Program = tuple[tuple[str, ...], tuple[bytes, bytes | None] | None, tuple[str, ...]]
"""Its `sys.argv`; how to load its main module and the source of that, None if it cannot be loaded; the modules that
were being imported when the pool was made."""
type Watch = tuple[str, object]
"""A module whose `begin` a worker calls before its first task, with what, and whose `end` after the last."""
type Setup = tuple[int, str, bool, Payload | int | None, Payload, int, int | None, memoryview | None, Program]
"""Worker id, thread name or "", whether the user chose it, payload of (initializer, initargs) or None, or the id
of a SimpleQueue that has it; payload of
(warning filters, environment, watches), task limit or 0, most threads that tasks may leave or None, the board, the
program."""
