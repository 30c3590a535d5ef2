"""The report of a trace: what is read, what follows in numbers, and what to do. No threads, interpreters or clocks."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_pool._seeing.trace_events import Formatter
from interp_pool.report_page.advice import MOST, advise
from interp_pool.report_page.drawing import histogram
from interp_pool.report_page.figures import busy_intervals, figures, lanes, percentile
from interp_pool.report_page.page import page
from interp_pool.report_page.reading import Count, Pool, Task, Trace, Worker, parse
from interp_pool.report_page.units import bytes_text, percent, seconds_text

VOID = {"meta"}


def trace(tasks, *, cpus=4, max_workers=2, waiting=0):
    """Return a trace of tasks; each is (worker, began, ran) or a Task."""
    made = [task if isinstance(task, Task) else Task("work", *task) for task in tasks]
    workers = [Worker(f"pool_{number}", 0) for number in range(1 + max((each.worker for each in made), default=0))]
    end = max((each.end for each in made), default=0.0)
    return Trace(
        about={"cpus": cpus, "program": "program.py", "python": "3.14.0", "process": 7},
        seconds=end,
        is_whole=True,
        pools=[Pool("pool", max_workers)],
        workers=workers,
        tasks=made,
        counts=[Count(0.0, 0, waiting, max_workers)],
    )


def topics(*args, **options):
    return [each.topic for each in advise(figures(trace(*args, **options)))]


def written(count=3):
    formatter = Formatter(7)
    formatter.program({"cpus": 4, "python": "3.14.0"})
    formatter.pool(0, "pool", 2)
    formatter.worker(0, 1, "pool_1")
    for number in range(count):
        at = 10**12 + number * 10**7
        measured = 1, at, at + 1000, at + 10**6, 0, 0, ()
        formatter.task(0, number + 1, "work", at - 500, 9, None, measured, 5e-4, "", 3, at + 2 * 10**6)
    formatter.counts(0, 10**12, 5, 2, 1, 1)
    formatter.instant(0, 1, "timeout: work", 10**12 + 5)
    formatter.end(4)
    return "[\n" + "".join(formatter.lines)


class TestReading:
    def test_what_was_written_is_read(self) -> None:
        read = parse(written().splitlines())
        assert [task.name for task in read.tasks] == ["work"] * 3
        task = read.tasks[1]
        assert (task.worker, task.ran, task.bytes_in, task.bytes_out) == (0, 5e-4, 9, 3)
        assert task.waited == pytest.approx(5e-7)
        assert task.taken == pytest.approx(0.01, abs=1e-5)
        assert [worker.name for worker in read.workers] == ["pool_1"]
        assert (read.pools[0].max_workers, read.is_whole, read.lost) == (2, True, 4)
        assert [moment.what for moment in read.moments] == ["timeout: work"]

    def test_any_beginning_of_a_file_is_read_up_to_its_last_whole_line(self) -> None:
        text = written()
        first = text.index("\n", 5)
        for length in range(first, len(text) - 3):
            read = parse(text[:length].splitlines())
            assert not read.is_whole
            assert len(read.tasks) <= 3

    def test_events_in_one_line_or_in_an_object_are_read_too(self) -> None:
        flat = written().replace("\n", "")
        assert len(parse([flat]).tasks) == 3
        assert len(parse([f'{{"traceEvents": {flat}, "displayTimeUnit": "ns"}}']).tasks) == 3

    @pytest.mark.parametrize(
        "text", ["", "[", "no JSON", "[1, 2]", '{"a": 1}', '[{"ph": "M", "name": "process_name"}]']
    )
    def test_what_is_no_trace_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="no event that tells of interp_pool"):
            parse(text.splitlines())


class TestFigures:
    def test_busy_at_once_is_the_whole_time(self) -> None:
        found = figures(trace([(0, 0.0, 4.0), (1, 1.0, 2.0)]))
        assert found.seconds == 4.0
        assert found.busy_at_once == {1: 2.0, 2: 2.0}
        assert found.parallel == 1.5
        assert found.share_of(1) == 0.5
        assert (found.starting, found.starved) == (0.0, 0.0)
        assert found.workers_at_once == 2
        assert figures(trace([(0, 0.0, 4.0), (1, 1.0, 2.0)], max_workers=1)).workers_at_once == 2
        assert figures(trace([(0, 0.0, 4.0)], max_workers=8)).workers_at_once == 8

    def test_tasks_on_top_of_others_are_not_counted_twice(self) -> None:
        tasks = [Task("outer", 0, 0.0, 4.0), Task("inner", 0, 1.0, 1.0)]
        assert busy_intervals(tasks) == [(0.0, 4.0)]
        assert figures(trace(tasks)).busy == [4.0]

    def test_tail_is_the_time_in_which_fewer_than_half_were_busy(self) -> None:
        tasks = [(worker, 0.0, 1.0) for worker in range(4)] + [(0, 1.0, 3.0)]
        assert figures(trace(tasks, max_workers=4)).tail == 3.0
        assert figures(trace([(0, 0.0, 5.0)], max_workers=1)).tail == 0.0

    def test_saturated_is_where_all_are_busy_and_tasks_wait(self) -> None:
        made = trace([(0, 0.0, 2.0), (1, 1.0, 3.0)], waiting=3)
        assert figures(made).saturated == 1.0
        made.counts.append(Count(1.5, 0, 0, 2))
        assert figures(made).saturated == 0.5

    def test_serial_stretches_tell_what_ran(self) -> None:
        found = figures(trace([(0, 0.0, 1.0), (1, 0.0, 1.0), Task("lone", 0, 3.0, 2.0)]))
        assert [(each.began, each.seconds, each.what) for each in found.stretches] == [(1.0, 4.0, "lone")]

    def test_functions_by_map_and_by_submit_are_two(self) -> None:
        tasks = [Task("work", 0, 0.0, 1.0, items=10), Task("work", 0, 1.0, 2.0), Task("work", 0, 3.0, 1.0, modules=2)]
        tasks[2].unpickling = 0.5
        first, second = figures(trace(tasks)).functions
        assert (first.count, first.items, first.importing, first.unpickling) == (2, 2, 0.5, 0.0)
        assert (second.is_map, second.items) == (True, 10)

    @given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 10)), max_size=30))
    def test_lanes_hold_no_two_at_a_time(self, spans: list[tuple[float, float]]) -> None:
        made = [(since, since + length) for since, length in spans]
        found = lanes(made)
        for lane in set(found):
            own = sorted(span for span, where in zip(made, found, strict=True) if where == lane)
            assert all(one[1] <= other[0] for one, other in pairwise(own))

    def test_percentile_of_nothing_is_nothing(self) -> None:
        assert percentile([], 0.5) == 0.0
        assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
        assert percentile([1.0], 1.0) == 1.0


class TestAdvice:
    def test_nothing_to_tell(self) -> None:
        assert topics([]) == ["none"]

    def test_busy_workers_are_fine(self) -> None:
        assert topics([(0, 0.0, 4.0), (1, 0.0, 4.0)], cpus=2) == ["fine"]

    def test_small_tasks(self) -> None:
        tasks = [Task("tiny", n % 2, n * 1e-5, 1e-6, unpickling=2e-6) for n in range(1000)]
        found = advise(figures(trace(tasks)))
        assert found[0].topic == "small"
        assert "1,000 tasks of tiny ran for 1 µs at the median" in found[0].text
        assert "use map" in found[0].text

    def test_small_messages_of_map(self) -> None:
        tasks = [Task("tiny", n % 2, n * 1e-5, 1e-6, items=1) for n in range(1000)]
        assert "chunksize" in advise(figures(trace(tasks)))[0].text

    def test_few_small_tasks_do_not_matter(self) -> None:
        assert "small" not in topics([Task("tiny", 0, n * 1e-5, 1e-6) for n in range(20)])

    def test_too_few_workers(self) -> None:
        tasks = [(0, float(n), 1.0) for n in range(5)]
        found = advise(figures(trace(tasks, cpus=8, max_workers=1, waiting=4)))
        assert found[0].topic == "workers"
        assert "the only worker" in found[0].text
        assert "max_workers=8" in found[0].text

    def test_workers_that_share_all_processors_are_enough(self) -> None:
        assert "workers" not in topics([(0, float(n), 1.0) for n in range(5)], cpus=1, max_workers=1, waiting=4)

    @pytest.mark.parametrize(
        ("size_in", "size_out", "word"), [(5_000_000, 10, "Arguments"), (10, 5_000_000, "Results")]
    )
    def test_large_arguments_and_results(self, size_in: int, size_out: int, word: str) -> None:
        tasks = [
            Task("read", n % 2, float(n), 0.1, unpickling=0.3, bytes_in=size_in, bytes_out=size_out) for n in range(4)
        ]
        found = {each.topic: each.text for each in advise(figures(trace(tasks)))}
        assert found["arguments"].startswith(f"{word} are large: 5 MB for each call of read")

    def test_long_tail(self) -> None:
        tasks = [Task("work", worker, 0.0, 1.0) for worker in range(4)] + [Task("long", 0, 1.0, 3.0)]
        found = {each.topic: each.text for each in advise(figures(trace(tasks, max_workers=4)))}
        assert "in the last 3 s, 75 % of the time" in found["tail"]
        assert "while long ran" in found["tail"]
        assert "serial" not in found  # it is told already

    def test_serial_part(self) -> None:
        tasks = [(0, float(n), 0.9) for n in range(5)] + [(1, 0.0, 0.5)]
        found = {each.topic: each.text for each in advise(figures(trace(tasks, max_workers=4)))}
        assert "each after the result of the one before" in found["serial"]

    def test_serial_program_between_tasks(self) -> None:
        tasks = [(n % 2, float(n), 0.1) for n in range(5)]
        found = {each.topic: each.text for each in advise(figures(trace(tasks, max_workers=4)))}
        assert "the program itself was at work" in found["serial"]

    def test_starved_workers(self) -> None:
        tasks = [(0, float(n), 0.5) for n in range(6)] + [(1, 0.0, 0.5)]
        found = {each.topic: each.text for each in advise(figures(trace(tasks, waiting=5)))}
        assert "for 91 % of the time one at most was busy although tasks waited" in found["starved"]
        assert "serial" not in found

    def test_start_of_the_first_worker(self) -> None:
        tasks = [Task("work", n, 1.0, 1.0, waited=1.0) for n in range(2)]
        made = trace(tasks, waiting=2)
        assert "start" not in {each.topic for each in advise(figures(made))}  # they were there, and did not come
        made.workers[0].began, made.workers[0].ready = 0.1, 0.9
        found = {each.topic: each.text for each in advise(figures(made))}
        assert "The first worker came after 1 s, 50 % of the time" in found["start"]

    def test_imports(self) -> None:
        tasks = [Task("work", n, 1.0, 1.0, unpickling=1.0, modules=30) for n in range(2)]
        assert topics(tasks)[0] == "imports"

    def test_failures_are_told_last(self) -> None:
        tasks = [Task("work", n, 0.0, 1.0, outcome="failed") for n in range(2)]
        assert topics(tasks)[-1] == "outcomes"

    def test_there_are_three_at_most(self) -> None:
        tasks = [Task("a", 0, n * 1e-3, 1e-6, unpickling=4e-4, bytes_in=10**7) for n in range(300)]
        tasks += [Task("b", 0, 5.0, 3.0, unpickling=1.0, modules=9, outcome="failed")]
        assert 1 <= len(topics(tasks)) <= MOST


class TestUnits:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0"),
            (3e-9, "3 ns"),
            (1.5e-6, "1.5 µs"),
            (0.9999e-3, "1 ms"),
            (0.0123, "12.3 ms"),
            (1, "1 s"),
            (119.6, "120 s"),
            (125, "2 min 5 s"),
            (7300, "2 h 1 min"),
        ],
    )
    def test_seconds(self, seconds: float, text: str) -> None:
        assert seconds_text(seconds) == text

    def test_bytes_and_shares(self) -> None:
        assert [bytes_text(each) for each in (0, 999, 1500, 2.5e6, 3e9)] == ["0 B", "999 B", "1.5 kB", "2.5 MB", "3 GB"]
        assert percent(0.256) == "26 %"


class Outline(HTMLParser):
    """What is in a page, whose tags must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class TestPage:
    def test_page_is_one_file_without_scripts_or_addresses(self) -> None:
        outline = Outline(page(parse(written().splitlines()), "run.json"))
        assert not outline.addresses
        assert not outline.tags["script"]
        assert outline.tags["h2"] == 7
        assert "4 notes came faster" in " ".join(outline.texts)

    def test_page_of_a_trace_that_is_cut_off_says_so(self) -> None:
        text = page(parse(written().splitlines()[:-2]), "run.json")
        assert "The trace ends in the middle" in text

    def test_page_of_no_task_has_advice_and_no_picture(self) -> None:
        outline = Outline(page(trace([]), "run.json"))
        assert "No task has run while this was traced." in outline.texts
        assert not outline.tags["svg"]

    def test_names_are_escaped(self) -> None:
        text = page(trace([Task("<script>&'\"", 0, 0.0, 1.0)]), "<b>.json")
        assert "<script>" not in text
        assert "<b>." not in text
        Outline(text)

    @pytest.mark.parametrize("workers", [1, 64, 300])
    def test_page_has_a_bounded_size(self, workers: int) -> None:
        tasks = [Task(f"f{n % 20}", n % workers, n // workers * 0.01, 0.008) for n in range(20_000)]
        text = page(trace(tasks, max_workers=workers), "run.json")
        assert len(text) < 1_500_000
        assert Outline(text).tags["tr"] < 120

    def test_few_tasks_are_drawn_one_by_one(self) -> None:
        text = page(trace([(n % 2, n / 2, 0.4) for n in range(10)]), "run.json")
        assert text.count("<title>work: 400 ms") == 10

    def test_histogram_counts_each_value_once(self) -> None:
        text = histogram([1e-12, 1e-6, 1e-6, 1.0, 1e9], "run")
        assert text.count("<rect") == 4
        assert "2 from" in text
