"""What a progress bar shows, and how an iterator with one ends. Real libraries are in tests/hosts."""

from __future__ import annotations

import logging
import sys

import pytest

import interp_pool
from interp_pool import Progress
from interp_pool._executor.refusals import refuse_on_progress
from interp_pool._executor.tracked import Tracked
from interp_pool._seeing import bars as bars_module
from interp_pool._seeing.bars import _TaskBars, finite, is_another, label_of
from interp_pool._seeing.reports import Listener


class Bars(_TaskBars):
    """Notes what would be drawn."""

    def __init__(self, *_):
        super().__init__()
        self.drawn, self.count = [], 0

    def advance(self):
        self.drawn.append("advance")

    def _add(self, progress):
        self.count += 1
        self.drawn.append(f"add {self.count}")
        return self.count

    def _draw(self, bar, progress):
        self.drawn.append((bar, progress.done))

    def _remove(self, bar):
        self.drawn.append(f"remove {bar}")

    def _close(self):
        self.drawn.append("close")


@pytest.fixture
def without(monkeypatch):
    def leave_out(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)  # which import takes for a missing one
        monkeypatch.setattr(bars_module, "_told", [])

    return leave_out


NEITHER = "tqdm", "tqdm.auto", "rich", "rich.progress"


def test_items_pass_without_a_bar_and_one_line_says_so_where_no_library_is_installed(without, caplog):
    without(*NEITHER)
    with caplog.at_level(logging.WARNING):
        assert [*interp_pool.progress([1, 2])] == [1, 2]
        assert [*interp_pool.progress(iter("ab"), description="letters")] == ["a", "b"]
    (record,) = caplog.records
    assert "pip install 'interp-pool[progress]'" in record.getMessage()


@pytest.mark.parametrize("library", ["tqdm", "rich"])
def test_library_that_is_named_and_missing_is_an_error(without, library):
    without(*NEITHER)
    with pytest.raises(ImportError, match=f"by {library} needs {library}: pip install"):
        interp_pool.progress([1], library=library)


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"total": "3"}, TypeError, "total must be a number or None, got"),
        ({"total": -1}, ValueError, "total must be at least 0, got -1"),
        ({"description": 3}, TypeError, "description must be a str"),
        ({"library": "curses"}, ValueError, "library must be 'tqdm', 'rich' or None, got 'curses'"),
        ({"per_task": 1}, TypeError, "per_task must be a bool"),
        ({"per_task": True}, TypeError, r"per_task needs the results of an executor's map\(\)"),
    ],
)
def test_wrong_arguments_are_refused_at_once(kwargs, error, text):
    with pytest.raises(error, match=text):
        interp_pool.progress([1], **kwargs)


def test_asynchronous_iterator_is_refused():
    async def numbers():
        yield 1

    with pytest.raises(TypeError, match="use its on_progress"):
        interp_pool.progress(numbers())


@pytest.mark.parametrize(
    ("items", "given", "total"),
    [([1, 2, 3], None, 3), (iter([1, 2]), None, 2), ((n for n in "ab"), None, None), ([1, 2, 3], 5, 5)],
)
def test_total_is_known_where_the_items_say_it(monkeypatch, items, given, total):
    totals = []
    monkeypatch.setattr(
        "interp_pool._executor.tracked.make_bars", lambda library, total, _: totals.append((library, total)) or Bars()
    )
    interp_pool.progress(items, given, library="rich")
    assert totals == [("rich", total)]


def test_bar_advances_before_an_item_is_given_and_is_closed_at_the_end():
    bars = Bars()
    tracked = Tracked(iter("ab"), bars)
    assert next(tracked) == "a"
    assert bars.drawn == ["advance"]
    assert [*tracked] == ["b"]
    assert bars.drawn == ["advance", "advance", "close"]
    assert next(tracked, None) is None
    tracked.close()
    assert bars.drawn == ["advance", "advance", "close"]


@pytest.mark.parametrize("end", ["close", "del", "error"])
def test_generator_is_closed_with_its_bar(end):
    closed = []

    def items():
        try:
            yield 1
            raise ZeroDivisionError
        finally:
            closed.append(True)

    bars = Bars()
    tracked = Tracked(items(), bars)
    assert next(tracked) == 1
    if end == "close":
        tracked.close()
    elif end == "error":
        with pytest.raises(ZeroDivisionError):
            next(tracked)
    del tracked
    assert closed == [True]
    assert bars.drawn == ["advance", "close"]


def test_file_is_not_closed(tmp_path):
    (tmp_path / "lines").write_text("a\nb\n")
    with (tmp_path / "lines").open() as file:
        tracked = Tracked(iter(file), Bars())
        assert [*tracked] == ["a\n", "b\n"]
        assert not file.closed


def test_each_worker_has_a_bar_that_is_begun_anew_with_each_task():
    bars = Bars()
    for worker, item, done in [("x", 0, 1), ("y", 1, 1), ("x", 0, 2), ("x", 2, 2), ("y", 1, 9)]:
        bars.show(Progress(done, 9, item=item, worker=worker))
    assert bars.drawn == ["add 1", (1, 1), "add 2", (2, 1), (1, 2), "remove 1", "add 3", (3, 2), (2, 9)]
    bars.close()
    assert bars.drawn[9:] == ["remove 3", "remove 2", "close"] or bars.drawn[9:] == ["remove 2", "remove 3", "close"]
    bars.show(Progress(1))
    assert bars.drawn[-1] == "close"


@pytest.mark.parametrize(
    ("item", "last_item", "done", "last_done", "expected"),
    [
        (1, 1, 2, 1, False),
        (1, 1, 1, 2, False),
        (2, 1, 2, 1, True),
        (None, None, 2, 1, False),
        (None, None, 1, 2, True),
        (3, None, 2, 1, True),
    ],
)
def test_report_of_another_task_is_told_from_its_item_or_from_less_being_done(
    item, last_item, done, last_done, expected
):
    assert is_another(Progress(done, item=item), Progress(last_done, item=last_item)) is expected


@pytest.mark.parametrize(
    ("progress", "label"),
    [
        (Progress(1, item=3), "item 3"),
        (Progress(1, item=3, message="two\n lines"), "item 3: two lines"),
        (Progress(1, task_name="map of f()", message=""), "map of f()"),
    ],
)
def test_label(progress, label):
    assert label_of(progress) == label


def test_listener_that_raises_is_logged_and_not_called_again(caplog):
    calls = []

    def fail(progress):
        calls.append(progress)
        raise ZeroDivisionError("my own")

    listener = Listener(fail)
    listener(Progress(1))
    listener(Progress(2))
    assert calls == [Progress(1)]
    (record,) = caplog.records
    assert "on_progress has raised an exception, and is not called again" in record.getMessage()
    assert "my own" in caplog.text


def test_what_hears_nothing_says_so():
    refuse_on_progress(None, "this")
    with pytest.raises(ValueError, match="map of this takes no on_progress"):
        refuse_on_progress(print, "this")


def test_listener_is_a_callable():
    with pytest.raises(TypeError, match="on_progress must be a callable or None, got 3"):
        Listener(3)


@pytest.mark.parametrize("number", [None, 0, 3.5, 10**100])
def test_number_that_a_bar_can_show_is_shown(number):
    assert finite(number) == number


@pytest.mark.parametrize("number", [float("inf"), 10**400])
def test_number_that_is_too_large_for_a_bar_is_none(number):
    assert finite(number) is None
