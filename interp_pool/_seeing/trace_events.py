"""What pools have noted of their tasks, as lines of the Trace Event format that Perfetto and chrome://tracing open.

Owns the words and the shape of a trace: pure text out of numbers, no thread, file or clock. A line is one event and a
comma. The format's array form allows that the last bracket is missing, so what a crash leaves can be opened.

    process       a pool; the first has the id of the real process
    thread        BACKLOG: one slice for each task that is taken, RESULTS: one for each result that comes; the others
                  are workers: a task, and around it what it took to unpickle and to encode, and where nothing ran
    flow          from the slice of BACKLOG to the task, and on to that of RESULTS
    counters      tasks that wait and run, bytes

The slices of BACKLOG and RESULTS mark moments: they are as long as arrows need. None is shorter than a nanosecond: an
arrow is bound to a slice that does not end where it points to.
"""

from json import dumps

from interp_pool._wire.texts import encodable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._wire.messages import Inner, Measured

BACKLOG, RESULTS, FIRST_WORKER = 1, 2, 10  # thread ids
FOLLOWING_PROCESS = 1 << 22  # what is added to a process's id for each further pool: Linux has none so high
SHORT = 10_000  # ns; unpickling and encoding that took less have no slice of their own
QUIET = 20_000  # ns; likewise where nothing ran
MARK = "0.5"  # us; how long the slices are that mark a moment
_FLOW = '"name":"task","cat":"flow"'
_MANY_NAMES = 1000


class Formatter:
    """Makes lines. Not thread-safe."""

    def __init__(self, process_id: int) -> None:
        """Begin a trace.

        Args:
            process_id: of this process.
        """
        self.lines: list[str] = []
        """What there is to write."""
        self._process_id = process_id
        self._names: dict[str, str] = {}  # as they are written
        self._places: dict[tuple[int, int], str] = {}
        self._busy_until: dict[tuple[int, int], int] = {}  # by pool and thread
        self._starts: dict[tuple[int, int], tuple[int, int]] = {}  # likewise: since when, and until when at the latest
        self._flows = 0

    def program(self, about: "dict[str, Any]") -> None:
        """Tell of the program, as a metadata event of our own."""
        self.lines.append(
            f'{{"ph":"M","name":"interp_pool","pid":{self._process_id},"tid":0,"args":{dumps(about)}}},\n'
        )

    def pool(self, pool: int, name: str, max_workers: int) -> None:
        """Tell of a pool, which is number `pool` of the trace, from 0."""
        name = encodable(name)
        about = {"name": f"{name}, at most {max_workers} workers", "pool": name, "max_workers": max_workers}
        self._metadata(pool, 0, "process_name", **about)
        self._metadata(pool, 0, "process_sort_index", sort_index=pool)
        self._thread(pool, BACKLOG, "backlog: tasks taken")
        self._thread(pool, RESULTS, "results")

    def worker(self, pool: int, number: int, name: str) -> None:
        """Tell of a worker."""
        self._thread(pool, FIRST_WORKER + number, encodable(name))

    def started(self, pool: int, number: int, since: int, now: int) -> None:
        """A worker is ready; `since` then it was being made."""
        self._starts[pool, number] = since, now  # the pool hears of it later: perhaps it has a task by then

    def _end_start(self, pool: int, number: int, begun: int, *, is_known: bool = True) -> None:
        """Tell of a start that had ended at a time at the latest, unless it may be known later that it was earlier."""
        if (start := self._starts.pop((pool, number), None)) is not None:
            since, ready = start
            until = min(ready, begun)
            if not is_known:
                self._starts[pool, number] = since, until
                return
            self._busy_until[pool, number] = until
            self._slice(pool, FIRST_WORKER + number, "start of the worker", "worker", since, until)

    def task(
        self,
        pool: int,
        work_id: int,
        name: str,
        taken: int,
        size: int,
        items: tuple[int, int] | None,
        measured: "Measured",
        seconds: float,
        outcome: str,
        result_size: int,
        now: int,
    ) -> None:
        """Tell of a task that has ended.

        Args:
            pool: its number.
            work_id: the task's.
            name: of the task.
            taken: when the pool got it, in ns as all times.
            size: of its arguments, bytes.
            items: how many of a batch were run, and how many were sent.
            measured: what its worker has measured.
            seconds: it ran.
            outcome: "" if it is a result, else in a word.
            result_size: bytes.
            now: the time.
        """
        number, begun, ran, encoded, modules, depth, inner = measured
        thread = FIRST_WORKER + number
        until = min(ran + int(seconds * 1e9), encoded) if ran else encoded
        ran = ran or encoded
        lines, quoted = self.lines, self._names.get(name) or self._quoted(name)
        if self._starts:
            self._end_start(pool, number, begun, is_known=not depth)  # of what waits below, the beginning is told later
        if not depth:
            idle = self._busy_until.get((pool, number), begun)
            if begun - idle >= QUIET:
                self._slice(pool, thread, "idle", "idle", idle, begun, colour="grey")
            self._busy_until[pool, number] = encoded
        if ran - begun >= SHORT:
            what = "unpickling and imports" if modules else "unpickling"
            self._slice(pool, thread, what, "unpickling", begun, ran)
        if inner:
            self._inner(pool, thread, inner)
        if encoded - until >= SHORT:
            self._slice(pool, thread, "encoding", "encoding", until, encoded)
        category, more = "task", ""
        if items is not None:
            category, more = "map", f',"items":{items[0]},"given_back":{items[1] - items[0]}'
        if modules:
            more += f',"modules_imported":{modules}'
        if outcome:
            more += f',"outcome":{self._quoted(outcome)}'
        self._flows += 1
        own, at = self._on(pool, thread), _us(ran)
        # One text for all that a task has at least: this is what a trace costs.
        lines.append(
            f'{{"ph":"X","name":{quoted},"cat":"{category}",{own},"ts":{at},"dur":{_us(until - ran or 1)},"args":{{'
            f'"task":{work_id},"waited_ns":{max(0, begun - taken)},"unpickling_ns":{ran - begun},'
            f'"ran_ns":{until - ran},"encoding_ns":{encoded - until},'
            f'"bytes_in":{size},"bytes_out":{result_size}{more}}}}},\n'
            f'{{"ph":"t","id":{self._flows},{_FLOW},{own},"ts":{at},"bp":"e"}},\n'
        )
        own, at = self._on(pool, BACKLOG), _us(taken)
        lines.append(
            f'{{"ph":"X","name":{quoted},"cat":"submit",{own},"ts":{at},"dur":{MARK}}},\n'
            f'{{"ph":"s","id":{self._flows},{_FLOW},{own},"ts":{at}}},\n'
        )
        own, at = self._on(pool, RESULTS), _us(now)
        lines.append(
            f'{{"ph":"X","name":{quoted},"cat":"result",{own},"ts":{at},"dur":{MARK}}},\n'
            f'{{"ph":"f","id":{self._flows},{_FLOW},{own},"ts":{at},"bp":"e"}},\n'
        )

    def _inner(self, pool: int, thread: int, inner: "tuple[Inner, ...]") -> None:
        for name, since, end, has_failed in inner:
            self._slice(pool, thread, name, "nested", since, end, {"outcome": "failed"} if has_failed else None)

    def unmeasured(
        self, pool: int, work_id: int, name: str, taken: int, outcome: str, ran: tuple[int, int] | None, now: int
    ) -> None:
        """Tell of a task that nothing has measured, such as one that was cancelled before a worker had it.

        Args:
            pool: its number.
            work_id: the task's, 0 if it had none.
            name: of the task.
            taken: when the pool got it.
            outcome: what has become of it.
            ran: its worker, and since when, if that is known.
            now: the time.
        """
        about = {"task": work_id, "outcome": outcome}
        own, at = self._on(pool, BACKLOG), _us(taken)
        self.lines.append(f'{{"ph":"X","name":{self._quoted(name)},"cat":"submit",{own},"ts":{at},"dur":{MARK}}},\n')
        if ran is None:
            self.instant(pool, None, f"{outcome}: {name}", now, about)
            return
        number, since = ran
        self._end_start(pool, number, since)
        self._slice(pool, FIRST_WORKER + number, name, "task", since, now, about)
        self._busy_until[pool, number] = now
        self._flows += 1
        self.lines.append(f'{{"ph":"s","id":{self._flows},{_FLOW},{own},"ts":{at}}},\n')
        own, at = self._on(pool, FIRST_WORKER + number), _us(since)
        self.lines.append(f'{{"ph":"f","id":{self._flows},{_FLOW},{own},"ts":{at},"bp":"e"}},\n')

    def instant(
        self, pool: int, number: int | None, name: str, now: int, about: "dict[str, Any] | None" = None
    ) -> None:
        """Tell of a moment of a worker, or if there is none of the backlog."""
        thread = BACKLOG if number is None else FIRST_WORKER + number
        args = f',"args":{dumps(about)}' if about else ""
        self.lines.append(
            f'{{"ph":"i","s":"t","cat":"event","name":{self._quoted(name)},{self._on(pool, thread)},'
            f'"ts":{_us(now)}{args}}},\n'
        )

    def counts(self, pool: int, now: int, waiting: int, running: int, sent: int, received: int) -> None:
        """Tell how many tasks wait and run, and how many bytes have gone and come."""
        for name, counts in (
            ("tasks", f'"waiting":{waiting},"running":{running}'),
            ("bytes", f'"sent":{sent},"received":{received}'),
        ):
            self.lines.append(
                f'{{"ph":"C","name":"{name}",{self._on(pool, 0)},"ts":{_us(now)},"args":{{{counts}}}}},\n'
            )

    def end(self, lost: int) -> None:
        """End the trace; `lost` of what was noted came faster than it could be written."""
        for (pool, number), (_, ready) in [*self._starts.items()]:
            self._end_start(pool, number, ready)
        pid = self._process_id
        self.lines.append(f'{{"ph":"M","name":"interp_pool_end","pid":{pid},"tid":0,"args":{{"lost":{lost}}}}}\n]\n')

    def _on(self, pool: int, thread: int) -> str:
        key = pool, thread
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = f'"pid":{self._process_id + pool * FOLLOWING_PROCESS},"tid":{thread}'
        return found

    def _quoted(self, name: str) -> str:
        quoted = self._names.get(name)
        if quoted is None:
            if len(self._names) >= _MANY_NAMES:
                self._names.clear()
            quoted = self._names[name] = dumps(encodable(name))
        return quoted

    def _metadata(self, pool: int, thread: int, what: str, /, **args: object) -> None:
        self.lines.append(f'{{"ph":"M","name":"{what}",{self._on(pool, thread)},"args":{dumps(args)}}},\n')

    def _thread(self, pool: int, thread: int, name: str) -> None:
        self._metadata(pool, thread, "thread_name", name=name)
        self._metadata(pool, thread, "thread_sort_index", sort_index=thread)

    def _slice(
        self,
        pool: int,
        thread: int,
        name: str,
        category: str,
        since: int,
        end: int,
        about: "dict[str, Any] | None" = None,
        colour: str = "",
    ) -> None:
        args = f',"args":{dumps(about)}' if about else ""
        cname = f',"cname":"{colour}"' if colour else ""
        self.lines.append(
            f'{{"ph":"X","name":{self._quoted(name)},"cat":"{category}",{self._on(pool, thread)},'
            f'"ts":{_us(since)},"dur":{_us(max(1, end - since))}{cname}{args}}},\n'
        )


def _us(ns: int) -> str:
    """Return microseconds, the unit of the format."""
    text = str(ns)
    return f"{text[:-3]}.{text[-3:]}" if ns >= 1000 else f"0.{ns:03}"  # which takes half as long as a division
