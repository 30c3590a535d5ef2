"""What a task's reports become: how many are told, which, and what is refused."""

from __future__ import annotations

import decimal
import enum
from _thread import get_ident

import pytest

from interp_pool import Progress, report
from interp_pool._wire.messages import BOARD, INITIALIZING, PROGRESS, TASK, TOLD
from interp_pool._worker import reporting
from interp_pool._worker.surroundings import end_task, endings, in_place
from interp_pool._worker.telling import ALL, ToldBy


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Task:
    """A task that runs in this thread, as a host would run it."""

    def __init__(self, work_id=5, thread=None):
        self.board, self.messages, self.work_id = [0] * len(BOARD), [], work_id
        self.thread = get_ident() if thread is None else thread
        self.way = ToldBy(self.messages.append, self.board, 3, self.thread)

    def __enter__(self):
        self.way.__enter__()
        self.board[TASK] = self.work_id
        return self

    def __exit__(self, *_):
        self.board[TASK] = -self.work_id
        end_task(self.thread, self.work_id)
        self.way.__exit__()

    @property
    def told(self):
        assert all(
            (kind, work_id, body[:3]) == (TOLD, self.work_id, (PROGRESS, 3, ()))
            for kind, work_id, body, _ in self.messages
        )
        return [body[3] for _, _, body, _ in self.messages]


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(reporting, "monotonic", made)
    monkeypatch.setattr(reporting, "_batches_due", [0.0])
    yield made
    assert not endings
    assert not reporting._known


def test_report_outside_of_a_task_does_nothing(clock):
    assert report(1, 2, "three") is None


def test_report_of_a_task_is_told_at_once(clock):
    with Task() as task:
        report(1)
        assert task.told == [(1, None, None, None)]
        report(2.5, 4, "message")
        assert task.told[1:] == [(2.5, 4, "message", None)]
    assert len(task.told) == 2


@pytest.mark.parametrize("state", [0, -5, INITIALIZING, -INITIALIZING])
def test_report_in_a_worker_that_runs_no_task_does_nothing(clock, state):
    with Task() as task:
        task.board[TASK] = state
        report(1)
    assert task.told == []


def test_burst_is_limited_and_the_latest_is_told_at_the_end(clock):
    with Task() as task:
        for done in range(100):
            report(done)
        assert task.told == [(done, None, None, None) for done in range(reporting.BURST)]
    assert task.told[reporting.BURST :] == [(99, None, None, None)]


def test_no_second_has_more_than_twenty_messages(clock):
    times = []
    with Task() as task:
        for done in range(5000):
            clock.now += 0.001
            report(done)
            times += [clock.now] * (len(task.told) - len(times))
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= 20
    assert len(times) > 5 / reporting.INTERVAL  # and not much less


def test_what_was_withheld_is_not_told_after_a_later_report(clock):
    with Task() as task:
        for done in range(50):
            report(done)
        clock.now += 5
        report(50)
    assert task.told[reporting.BURST :] == [(50, None, None, None)]


def test_next_task_has_a_burst_of_its_own(clock):
    for work_id in (5, 6):
        with Task(work_id) as task:
            for done in range(reporting.BURST):
                report(done)
            assert len(task.told) == reporting.BURST


def test_report_that_comes_between_telling_and_taking_out_is_kept(clock):
    """P1 of another thread between the two steps of P2."""
    with Task() as task:

        def tell(message):
            task.messages.append(message)
            if len(task.messages) == 1:
                report(2)  # which tells that itself, and leaves nothing

        with ToldBy(tell, task.board, 3, task.thread):
            report(1)
        task.way.__enter__()  # which the other has taken away
        assert task.told == [(1, None, None, None), (2, None, None, None)]


def test_items_have_their_places_and_their_last_word(clock):
    with Task() as task:

        def run(count):
            for done in range(count):
                report(done)
            return count

        call = reporting.placed(run)
        assert [call(count) for count in (1, 0, 30, 40)] == [1, 0, 30, 40]
        by_item = {item: [done for done, _, _, place in task.told if place == item] for item in range(4)}
    assert by_item[0] == [0]
    assert by_item[1] == []
    assert (by_item[2][0], by_item[2][-1]) == (0, 29)
    assert by_item[3] == [0, 39]  # the others have used up what the batch may tell
    assert len(task.told) < reporting.BURST + 5


def test_batches_share_what_may_be_told(clock):
    counts = []
    for work_id in range(1, 4):
        with Task(work_id) as task:
            reporting.placed(lambda: [report(done) for done in range(100)])()
        counts.append(len(task.told))
    assert counts == [reporting.BURST + 1, 2, 2]


def test_process_tells_the_first_report_and_the_last(clock):
    with Task(thread=ALL) as task:
        for done in range(100):
            clock.now += 1
            report(done)
    assert [done for done, *_ in task.told] == [0, 99]
    with Task(thread=ALL) as task:
        call = reporting.placed(lambda count: [report(done) for done in range(count)])
        call(5)
        call(1)
    assert [(done, place) for done, _, _, place in task.told] == [(0, 0), (4, 0), (0, 1)]


def test_item_that_raises_has_its_last_word(clock):
    def fail():
        for done in range(20):
            report(done)
        raise ZeroDivisionError

    with Task() as task:
        with pytest.raises(ZeroDivisionError):
            reporting.placed(fail)()
        assert task.told[-1] == (19, None, None, 0)


def test_part_of_a_task_reports_to_its_own_future(clock):
    class Child:
        name = "task child()"
        told = ()

        @property
        def future(self):
            return self

        def note_progress(self, told):
            self.told += (told,)

    child = Child()
    with Task(thread=ALL) as task:
        report(1)
        in_place.append(child)
        report(2, 3)
        in_place.append(None)  # another task on top of it, which would have another work id
        report(4)
        del in_place[:]
    assert [done for done, *_ in task.told] == [1, 4]
    assert child.told == ((2, 3, None, None, "task child()", ""),)


class Level(enum.IntEnum):
    HIGH = 7


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (True, 1),
        (Level.HIGH, 7),
        (decimal.Decimal("2.5"), 2.5),
        (1 << 63, float(1 << 63)),
        (10**400, float("inf")),
        (float("inf"), float("inf")),
    ],
)
def test_numbers_of_other_types_are_told_as_plain_ones(clock, given, told):
    with Task() as task:
        report(given, given)
    assert task.told == [(told, told, None, None)]
    assert {type(number) for number in task.told[0][:2]} <= {int, float}


class Text(str):
    __slots__ = ()


def test_text_is_told_as_a_plain_one(clock):
    with Task() as task:
        report(1, None, Text("text"))
    assert type(task.told[0][2]) is str


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        (("1",), TypeError, "done must be a number, got '1'"),
        ((None,), TypeError, "done must be a number, got None"),
        ((1, "2"), TypeError, "total must be a number, got '2'"),
        ((1, 2, 3), TypeError, "message must be a str or None, got 3"),
        ((-1,), ValueError, "at least 0, got -1 and None"),
        ((1, -2), ValueError, "at least 0, got 1 and -2"),
        ((float("nan"),), ValueError, "at least 0, got nan"),
    ],
)
def test_wrong_report_is_refused_wherever_it_is_made(clock, args, error, text):
    with pytest.raises(error, match=text):
        report(*args)
    with Task() as task, pytest.raises(error, match=text):
        report(*args)
    assert task.told == []


@pytest.mark.parametrize(
    ("progress", "fraction"),
    [(Progress(1), None), (Progress(1, 4), 0.25), (Progress(5, 4), 1.0), (Progress(0, 0), 1.0)],
)
def test_fraction(progress, fraction):
    assert progress.fraction == fraction
