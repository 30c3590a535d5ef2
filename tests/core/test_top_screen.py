"""What `top` shows and what its keys do, from snapshots that are written here."""

from __future__ import annotations

import pytest

from interp_pool.top.keys import HELP, Command, Interrupt, State
from interp_pool.top.screen import duration
from interp_pool.top.terminal import as_text

COUNTS = dict.fromkeys(
    (
        *("workers_busy", "workers_lent", "workers_abandoned", "tasks_waiting", "tasks_sent", "tasks_ended"),
        *("interrupts", "timeouts", "restarts"),
    ),
    0,
)


def task(number, name, seconds, **more):
    usual = {"items": None, "is_stopping": False, "phrase": "runs in w_0", "places": [["/a/b.py", 7, "inner"]]}
    return {"id": number, "name": name, "seconds": seconds, **usual, **more}


def worker(name, task=None, state=None, cpu=None, below=()):
    return {"name": name, "state": state or ("running" if task else "idle"), "cpu": cpu, "task": task, "below": below}


def pool(*workers, number=1, name="pool", times=None, **counts):
    counts = {**COUNTS, "workers_busy": sum(each["task"] is not None for each in workers), **counts}
    told = {"number": number, "name": name, "max_workers": len(workers), "counts": counts, "waiting": []}
    return {**told, "times": times or {"run": None}, "workers": list(workers)}


def snapshot(*pools, seconds=100.0, memory=2 << 20):
    told = {"pid": 7, "program": "prog.py", "python": "3.14.0", "age": 65.0}
    return {**told, "seconds": seconds, "memory": memory, "pools": list(pools)}


def state_of(*snapshots):
    state = State()
    for each in snapshots:
        state.see(each)
    return state


def press(state, keys):
    return [done for key in keys if (done := state.press(key)) is not None]


THREE = snapshot(
    pool(
        worker("w_0", task(11, "task b()", 0.5)),
        worker("w_1"),
        worker("w_2", task(12, "map of a()", 3.0, items=4)),
    )
)


def test_program_pools_and_workers_are_shown():
    times = {"count": 3, "sum": 6.0, "median": 0.002, "p90": 0.0, "p99": 61.0}
    first = pool(worker("w_0", task(11, "task 'job'", 0.5)), worker("w_1"), tasks_ended=10, times={"run": times})
    second = pool(worker("w_0", task(11, "task 'job'", 2.5), cpu=1.0), worker("w_1"), tasks_ended=40, timeouts=2)
    first["workers"][0]["cpu"] = 0.0
    assert as_text(state_of(snapshot(first))).splitlines() == [
        "prog.py, process 7, Python 3.14.0, up 1:05, 2.0 MiB in memory",
        "pool: 2 workers (1 busy), 0 waiting, 10 ended",
        "  run 2.0 ms (99 %: 1:01)",
        "  #  worker  state    cpu      time  task   where",
        "  -  ------  -------  ---  --------  -----  --------------",
        "  1  w_0     running    -  500.0 ms  'job'  inner (b.py:7)",
        "  2  w_1     idle       -",
    ]
    text = as_text(state_of(snapshot(first), snapshot(second, seconds=102.0, memory=None)))
    assert "pool: 2 workers (1 busy), 0 waiting, 40 ended (15.0/s), 2 timeouts" in text
    assert "1  w_0     running  50%  2.5 s" in text
    assert "in memory" not in text


def test_state_place_and_what_is_below_are_told():
    busy = [
        worker("w_0", task(1, "task f()", None, is_stopping=True, places=[], phrase="runs in w_0, in C code")),
        worker("w_1", task(2, "task g()", 1.0), state="abandoned"),
        worker("w_2", task(3, "task h()", 1.0), below=["task x()", "task y()"]),
    ]
    lines = as_text(state_of(snapshot(pool(*busy)))).splitlines()[-3:]
    assert lines[0].split() == ["1", "w_0", "stopping", "-", "-", "f()", "in", "C", "code"]
    assert lines[1].split()[2] == "abandoned"
    assert "h(), on top of x() and y()" in lines[2]


def test_lines_are_cut_to_the_width():
    assert max(map(len, as_text(state_of(THREE), 20).splitlines())) == 20


@pytest.mark.parametrize(("keys", "names"), [("", "012"), ("w", "012"), ("t", "201"), ("f", "201"), ("tw", "012")])
def test_rows_are_sorted_as_the_keys_say(keys, names):
    state = state_of(THREE)
    assert press(state, keys) == []
    assert [row.cells[1] for row in state.rows()] == [f"w_{each}" for each in names]


@pytest.mark.parametrize(("key", "command"), [("q", Command.QUIT), ("s", Command.STACKS), ("x", None), ("w", None)])
def test_keys_have_commands(key, command):
    assert state_of(THREE).press(key) is command


@pytest.mark.parametrize(
    ("keys", "done", "footer"),
    [
        ("i3\n", [Interrupt(1, 12)], HELP),
        ("ti3\n", [Interrupt(1, 12)], HELP),
        ("i19\x7f\x7f3\r", [Interrupt(1, 12)], HELP),
        ("i2\n", [], "worker 2 ran no task"),
        ("i9\n", [], "there is no worker 9"),
        ("i9\nw", [], HELP),
        ("i\n", [], HELP),
        ("i3\x1b", [], HELP),
        ("iq3", [], "interrupt the task of which #? 3_  (Enter asks it to stop, Esc does not)"),
    ],
)
def test_number_is_typed_for_an_interrupt(keys, done, footer):
    state = state_of(THREE)
    assert press(state, keys) == done
    assert state.footer == footer


def test_interrupt_means_the_task_that_was_seen_when_the_number_was_asked_for():
    state = state_of(THREE)
    press(state, "i1")
    state.see(snapshot(pool(worker("w_0", task(99, "task other()", 0.1)))))
    assert press(state, "\n") == [Interrupt(1, 11)]


def test_nothing_was_seen_yet():
    assert press(State(), "i1\n") == []
    assert "waiting for an answer" in as_text(State())
    assert "no workers" in as_text(state_of(snapshot()))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3e-7, "0.3 us"), (0.0125, "12.5 ms"), (59.94, "59.9 s"), (61.0, "1:01"), (3725.0, "1:02:05")],
)
def test_duration_has_a_unit_that_fits(seconds, text):
    assert duration(seconds) == text


def test_names_do_not_reach_the_terminal_as_they_are():
    """The words of a command line, and names, may have ends of lines, and what clears a screen."""
    told = snapshot(pool(worker("w\t0", task(1, "task f()\r", 1.0)), worker("w\x1b1"), name="a\x1b[31mb"))
    text = as_text(state_of({**told, "program": "-c import os\nprint(\x1b[2J)"}))
    assert "-c import os\\nprint(\\x1b[2J), process 7" in text
    assert "a\\x1b[31mb: 2 workers" in text
    assert "w\\t0" in text
    assert "f()\\r" in text
    assert "w\\x1b1" in text
    assert all(line.isprintable() for line in text.splitlines())
