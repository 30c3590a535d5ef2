"""The demo: what it measures, what it says, and that nothing a user does to it ends in a traceback.

Whole runs happen in a process of their own: they start every kind of executor, and interrupts and closed pipes must
not reach the tests.
"""

import ast
import dataclasses
import errno
import io
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import threading
import types
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from interp_pool._commands.interrupts import KeptInterrupts, interrupts_deferred
from interp_pool._commands.layout import table
from interp_pool._commands.progress import PlainProgress, TqdmProgress, choose_progress
from interp_pool.demo import cli, report
from interp_pool.demo.compare import Contender, Run, compare, contenders, process_chunksize
from interp_pool.demo.measure import FileMeasure, measure_file
from interp_pool.demo.sources import SourceError, SourceFile, Sources, find_sources, sample, standard_library

FACTS = report.Facts("CPython 3.14.0", "Linux x86_64", 2, 2, "forkserver")
COMMAND = [sys.executable, "-m", "interp_pool", "demo"]


def measured(tmp_path: Path, source: str | bytes) -> FileMeasure:
    path = tmp_path / "source.py"
    path.write_bytes(source if isinstance(source, bytes) else textwrap.dedent(source).encode())
    return measure_file(str(path))


def complexities(tmp_path: Path, source: str) -> dict[str, int]:
    measure = measured(tmp_path, source)
    assert measure.error is None
    return {name: complexity for name, _, _, complexity in measure.functions}


class TestComplexity:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("pass", 1),
            ("if a: pass", 2),
            ("if a: pass\n    else: pass", 2),
            ("if a: pass\n    elif b: pass\n    else: pass", 3),
            ("return a if b else c", 2),
            ("for x in a: pass\n    else: pass", 2),
            ("while a: pass", 2),
            ("with a: pass", 1),
            ("assert a", 1),
            ("try: pass\n    except A: pass\n    except (B, C): pass\n    else: pass\n    finally: pass", 3),
            ("try: pass\n    except* A: pass", 2),
            ("return a and b", 2),
            ("return a and b and c", 3),
            ("return a and b or c", 3),
            ("return not a", 1),
            ("return [x for x in a]", 2),
            ("return {x for x in a if x if y}", 4),
            ("return {x: y for x in a for y in x if y and z}", 5),
            ("return any(x for x in a)", 2),
            ("return {**a, 'b': c or d}", 2),
            ("f(a, *b, c=d if e else f, **(g or h))", 3),
            ("return f'{a if b else c:{d or e}}'", 3),
            ("x: int = a or b", 2),
            ("return (y := a or b)", 2),
            ("match a:\n        case 1: pass\n        case _: pass", 2),
            ("match a:\n        case 1 | 2: pass\n        case [x, *_]: pass\n        case {'k': v}: pass", 4),
            ("match a:\n        case x if x and y: pass\n        case x: pass", 3),
            ("match a:\n        case 1 as x if x: pass", 3),
            ("return lambda x: a if b else c", 2),
        ],
    )
    def test_function_counts_its_decisions(self, tmp_path: Path, body: str, expected: int) -> None:
        assert complexities(tmp_path, f"def f():\n    {body}\n") == {"f": expected}

    def test_async_function_counts_async_loops_and_comprehensions(self, tmp_path: Path) -> None:
        source = """
            async def f():
                async for x in a:
                    async with x: pass
                return [y async for y in a if await y]
        """
        assert complexities(tmp_path, source) == {"f": 4}

    def test_nested_functions_own_their_decisions(self, tmp_path: Path) -> None:
        source = """
            if top: pass
            def outer():
                if a: pass
                def inner():
                    while b: pass
                    class Local:
                        if c: d = e or f
                        def method(self):
                            for x in y: pass
                return lambda: a or b
            class Class:
                attribute = a if b else c
                async def method(self): pass
        """
        assert complexities(tmp_path, source) == {
            "outer": 3,
            "outer.inner": 4,
            "outer.inner.Local.method": 2,
            "Class.method": 1,
        }

    def test_decorators_defaults_and_annotations_belong_to_the_function_around(self, tmp_path: Path) -> None:
        source = """
            def outer():
                @decorate(a or b)
                def inner(x=c if d else e, *, y: f or g, z=None) -> h or i:
                    pass
                @decorate(a or b)
                class Local(base or other, metaclass=m if n else o): pass
        """
        assert complexities(tmp_path, source) == {"outer": 8, "outer.inner": 1}

    def test_lines_and_place_leave_decorators_out(self, tmp_path: Path) -> None:
        measure = measured(tmp_path, "@a\n@b\ndef f():\n    x = '''\n    '''\n\ndef g(): pass\n")
        assert measure.functions == (("f", 3, 3, 1), ("g", 7, 1, 1))
        assert measure.lines == 7

    def test_standard_library_agrees_with_a_recursive_reference(self) -> None:
        files = sample(find_sources().files, count=40)
        checked = 0
        for file in files:
            measure = measure_file(file.path)
            if measure.error is None:
                tree = ast.parse(Path(file.path).read_bytes())
                assert sorted(measure.functions) == sorted(reference_functions(tree)), file.path
                checked += 1
        assert checked > 30


def reference_functions(tree: ast.Module) -> list[tuple[str, int, int, int]]:
    """The same measure the simple way: recursively, asking each node for all its children."""
    found: list[tuple[str, int, int, int]] = []

    def count(node: ast.AST, prefix: str) -> int:
        """Return the node's decisions for the function around it, and note the functions inside."""
        own = 0
        if isinstance(node, ast.BoolOp):
            own = len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            own = 1 + len(node.ifs)
        elif isinstance(node, ast.match_case):
            is_open = isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None
            own = (not is_open) + (node.guard is not None)
        elif isinstance(node, ast.If | ast.IfExp | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler):
            own = 1
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return own + sum(count(child, prefix) for child in ast.iter_child_nodes(node))
        name = prefix + node.name
        outside = sum(count(child, prefix) for child in ast.iter_child_nodes(node) if child not in node.body)
        inside = sum(count(child, name + ".") for child in node.body)
        if isinstance(node, ast.ClassDef):
            return outside + inside
        assert node.end_lineno is not None
        found.append((name, node.lineno, node.end_lineno - node.lineno + 1, 1 + inside))
        return outside

    count(tree, "")
    return found


class TestMeasureFile:
    def test_docstrings_are_counted_for_module_classes_and_functions(self, tmp_path: Path) -> None:
        source = '''
            """Module."""
            class A:
                """Class."""
                def f(self):
                    "Function."
                def g(self):
                    f"""Not one."""
            async def h():
                b"not one"
            class B: x = 1
        '''
        measure = measured(tmp_path, source)
        assert (measure.definitions, measure.documented) == (6, 3)

    def test_tokens_are_counted_by_type(self, tmp_path: Path) -> None:
        measure = measured(tmp_path, "x = f(1, 'a')  # why\n")
        assert dict(measure.tokens) == {
            "ENCODING": 1,
            "NAME": 2,
            "OP": 4,
            "NUMBER": 1,
            "STRING": 1,
            "COMMENT": 1,
            "NEWLINE": 1,
            "ENDMARKER": 1,
        }
        assert measure.tokens == tuple(sorted(measure.tokens))

    @pytest.mark.parametrize(
        ("source", "error"),
        [
            (b"def f(:\n", "SyntaxError: invalid syntax (line 1)"),
            (b"if 1:\n\tx\n        y\n", "TabError: "),
            (b'x = "\xff"\n', "SyntaxError: "),
            (b"# coding: nonsense\n", "SyntaxError: "),
            (b"x = 1\0\n", "SyntaxError: source code string cannot contain null bytes"),
            ("x = 1".encode("utf-16"), "SyntaxError: "),
            (b"x = " + b"9" * 5000, "SyntaxError: Exceeds the limit"),
            (b"x = '''", "SyntaxError: "),
        ],
    )
    def test_bad_source_is_told_in_one_line(self, tmp_path: Path, source: bytes, error: str) -> None:
        measure = measured(tmp_path, source)
        assert measure.error is not None
        assert measure.error.startswith(error)
        assert "\n" not in measure.error
        assert len(measure.error) < 200
        assert (measure.size, measure.lines, measure.tokens, measure.functions) == (len(source), 0, (), ())

    @pytest.mark.parametrize("source", ["x = " + "1+" * 200_000 + "1", "x = " + "-" * 200_000 + "1"])
    def test_deep_nesting_has_the_same_error_in_every_thread(self, tmp_path: Path, source: str) -> None:
        here = measured(tmp_path, source)
        assert here.error is not None
        assert here.error.endswith("too deeply nested to parse")
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(measure_file, here.path).result() == here

    def test_unreadable_file_is_told_in_one_line(self, tmp_path: Path) -> None:
        assert measure_file(str(tmp_path / "missing.py")).error == f"FileNotFoundError: {os.strerror(errno.ENOENT)}"

    @pytest.mark.parametrize(
        "source",
        [
            b"",
            b"\xef\xbb\xbfx = 1\n",
            b"# coding: latin-1\nx = '\xe9'\n",
            b"x = 1\n\x0c\ndef f(): pass",
            b"x=1\r\ny=2\r\n",
        ],
    )
    def test_unusual_source_is_measured(self, tmp_path: Path, source: bytes) -> None:
        measure = measured(tmp_path, source)
        assert measure.error is None
        assert measure.lines == len(source.splitlines())

    def test_measure_compares_by_value_and_survives_pickling(self, tmp_path: Path) -> None:
        measure = measured(tmp_path, "def f(): pass\n")
        copy: object = pickle.loads(pickle.dumps(measure, 5))
        assert copy == measure
        assert hash(copy) == hash(measure)
        assert measure != FileMeasure(measure.path)
        assert measure != measure.path
        assert repr(measure).endswith("source.py' lines=1 functions=1>")
        assert repr(FileMeasure("a.py", "no")) == "<FileMeasure 'a.py' error='no'>"

    def test_worker_side_imports_little(self) -> None:
        code = (
            "import sys; before = set(sys.modules); import interp_pool.demo.measure; "
            "print(*sorted(set(sys.modules) - before))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        imported = set(run.stdout.split())
        assert "interp_pool.demo.measure" in imported
        heavy = {"concurrent", "concurrent.futures", "dataclasses", "logging", "traceback", "typing", "threading"}
        assert imported & heavy == set()


class TestSources:
    def test_every_python_file_is_found_and_nothing_is_left_out_silently(self, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "two.py").write_text("xx")
        (tmp_path / "one.py").write_text("x")
        (tmp_path / "data.txt").write_text("x")
        (tmp_path / "directory.py").mkdir()
        (tmp_path / "dangling.py").symlink_to("nowhere")
        (tmp_path / "link").symlink_to("b")
        sources = find_sources(str(tmp_path))
        assert sources.files == [
            SourceFile(str(tmp_path / "b" / "two.py"), 2),
            SourceFile(str(tmp_path / "one.py"), 1),
        ]
        assert dict(sources.skipped) == {
            str(tmp_path / "dangling.py"): "no such file or directory",
            str(tmp_path / "link"): "a link to a directory, not followed",
        }

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this platform")
    def test_named_pipe_is_skipped_and_never_opened(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.py")
        (tmp_path / "one.py").write_text("x")
        assert find_sources(str(tmp_path)).skipped == [(str(tmp_path / "pipe.py"), "not a regular file")]

    def test_unreadable_directory_is_skipped_and_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # Denied by hand: the tests may run as root, whom no permission stops.
        denied = tmp_path / "denied"
        denied.mkdir()
        (tmp_path / "one.py").write_text("x")
        deny(monkeypatch, denied)
        sources = find_sources(str(tmp_path))
        assert [file.path for file in sources.files] == [str(tmp_path / "one.py")]
        assert sources.skipped == [(str(denied), "cannot read directory: permission denied")]

    def test_default_is_the_standard_library_without_installed_packages(self) -> None:
        sources = find_sources()
        paths = [file.path for file in sources.files]
        assert os.path.join(standard_library(), "ast.py") in paths
        assert paths == sorted(paths)
        assert not any(f"{os.sep}site-packages{os.sep}" in path for path in paths)

    def test_bad_directory_raises_with_its_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        missing, empty, file = tmp_path / "missing", tmp_path / "empty", tmp_path / "file"
        empty.mkdir()
        file.write_text("")
        with pytest.raises(SourceError, match=r"cannot read directory: '.*missing'; no such file or directory"):
            find_sources(str(missing))
        with pytest.raises(SourceError, match=r"cannot read directory: '.*file'; "):
            find_sources(str(file))
        with pytest.raises(SourceError, match=r"nothing to measure: '.*empty'; no readable \.py file is under it$"):
            find_sources(str(empty))
        deny(monkeypatch, empty)
        with pytest.raises(SourceError, match=r"cannot read directory: '.*empty'; permission denied"):
            find_sources(str(empty))


def deny(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path == str(directory):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


FILES = [SourceFile(f"{index:03}.py", (index * 7919) % 1000) for index in range(500)]


class TestSample:
    def test_same_files_are_chosen_every_time_whatever_their_order(self) -> None:
        shuffled = random.Random(1).sample(FILES, len(FILES))
        chosen = sample(FILES, count=50)
        assert sample(FILES, count=50) == chosen
        assert set(sample(shuffled, count=50)) == set(chosen)
        assert chosen == [file for file in FILES if file in chosen]

    @pytest.mark.parametrize("count", [1, 2, 3, 49, 250, 499, 500])
    def test_exactly_the_asked_number_is_chosen(self, count: int) -> None:
        assert len(set(sample(FILES, count=count))) == count

    def test_sizes_are_spread_as_in_the_whole(self) -> None:
        chosen = sample(FILES, count=50)
        tenths = Counter(file.size // 100 for file in chosen)
        assert set(tenths) == set(range(10))
        assert max(tenths.values()) <= 6

    def test_bytes_asked_for_are_about_met(self) -> None:
        total = sum(file.size for file in FILES)
        assert sum(file.size for file in sample(FILES, size=total // 4)) == pytest.approx(total / 4, rel=0.05)

    def test_everything_is_used_when_no_more_is_there(self) -> None:
        assert sample(FILES, count=501) == FILES
        assert sample(FILES, size=10**9) == FILES
        assert sample(FILES) == FILES
        assert sample([], count=1) == []

    def test_one_file_larger_than_asked_for_is_still_used(self) -> None:
        large = [SourceFile("large.py", 10**9)]
        assert sample(large, size=1) == large


class FakeClock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestProgress:
    def test_plain_progress_writes_a_line_each_interval_and_at_the_end(self) -> None:
        clock, stream = FakeClock(), io.StringIO()
        seen: list[int] = []
        for item in PlainProgress(stream, interval=2.0, clock=clock).track(range(10), 10, "serial"):
            seen.append(item)
            clock.now += 0.5
        assert seen == list(range(10))
        assert stream.getvalue().splitlines() == [
            "serial: 4/10 files, 2 files/s, ETA 3 s",
            "serial: 8/10 files, 2 files/s, ETA 1 s",
            "serial: 10/10 files in 5.0 s, 2 files/s",
        ]

    def test_plain_progress_of_nothing_in_no_time_writes_one_line(self) -> None:
        stream = io.StringIO()
        assert list(PlainProgress(stream, clock=FakeClock()).track([], 0, "serial")) == []
        assert stream.getvalue() == "serial: 0/0 files in 0.0 s\n"

    def test_pipe_gets_plain_lines(self) -> None:
        assert isinstance(choose_progress(io.StringIO()), PlainProgress)

    def test_terminal_of_unknown_width_gets_plain_lines(self) -> None:
        assert isinstance(choose_progress(Terminal()), PlainProgress)

    def test_terminal_without_tqdm_gets_plain_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tqdm", None)
        monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((80, 24)))
        terminal = Terminal()
        monkeypatch.setattr(terminal, "fileno", lambda: 2)
        assert isinstance(choose_progress(terminal), PlainProgress)

    def test_terminal_with_tqdm_gets_a_bar_that_is_closed_after_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        events: list[object] = []

        class FakeBar:
            monitor_interval = 10.0

            def __init__(self, **arguments: object) -> None:
                events.append((arguments["total"], str(arguments["desc"]).strip()))

            @classmethod
            def set_lock(cls, lock: object) -> None:
                events.append("lock")

            def update(self, n: float = 1) -> None:
                events.append(n)

            def close(self) -> None:
                events.append("close")

        module = types.ModuleType("tqdm")
        monkeypatch.setattr(module, "tqdm", FakeBar, raising=False)
        monkeypatch.setitem(sys.modules, "tqdm", module)
        monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((80, 24)))
        terminal = Terminal()
        monkeypatch.setattr(terminal, "fileno", lambda: 2)
        progress = choose_progress(terminal)
        assert isinstance(progress, TqdmProgress)

        def items() -> Iterator[int]:
            yield 1
            yield 2
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            list(progress.track(items(), 3, "serial"))
        assert events == ["lock", (3, "serial"), 1, 1, "close"]
        assert FakeBar.monitor_interval == 0

    def test_real_tqdm_draws_a_bar(self) -> None:
        pytest.importorskip("tqdm", reason="the optional extra `demo` is not installed")
        terminal = Terminal()
        assert list(TqdmProgress(terminal).track(range(3), 3, "serial")) == [0, 1, 2]
        assert "3/3 files" in terminal.getvalue()


class Quiet:
    """Progress that shows nothing."""

    def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        return iter(items)


class Interrupted(Quiet):
    """Progress of a run in which Ctrl-C is pressed after the first file."""

    def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        if label == "serial":
            yield from items
            return
        yield next(iter(items))
        raise KeyboardInterrupt


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Three good files and a bad one."""
    sources = ["def f(): pass", "def g(x):\n    return x or 1", "x = 1", "def h(:"]
    files = [tmp_path / f"{index}.py" for index in range(len(sources))]
    for file, source in zip(files, sources, strict=True):
        file.write_text(source)
    return [str(file) for file in files]


class TestCompare:
    def test_serial_run_comes_first_and_others_are_compared_with_it(self, paths: list[str]) -> None:
        serial, threads = compare(paths, [Contender("threads", lambda: ThreadPoolExecutor(2))], Quiet())
        assert (serial.name, serial.is_identical, serial.error) == ("serial", None, None)
        assert [measure.error is None for measure in serial.measures] == [True, True, True, False]
        assert (threads.name, threads.is_identical, threads.error) == ("threads", True, None)
        assert threads.measures == serial.measures
        assert min(serial.seconds, threads.seconds) > 0

    def test_other_results_are_not_identical(self, paths: list[str]) -> None:
        class Liar(ThreadPoolExecutor):
            def map(self, fn: object, *iterables: Iterable[object], **options: object) -> Iterator[object]:  # type: ignore[override]
                return iter([FileMeasure(str(path)) for path in iterables[0]])

        _, lied = compare(paths, [Contender("liar", lambda: Liar(1))], Quiet())
        assert lied.is_identical is False

    def test_failed_executor_is_told_and_the_next_one_runs(self, paths: list[str]) -> None:
        def fail() -> Executor:
            raise OSError("no semaphores\nhere")

        entrants = [Contender("broken", fail), Contender("threads", lambda: ThreadPoolExecutor(1))]
        _, broken, threads = compare(paths, entrants, Quiet())
        assert (broken.error, broken.is_identical, broken.measures) == ("OSError: no semaphores", None, ())
        assert threads.is_identical is True

    def test_closed_progress_output_ends_the_comparison(self, paths: list[str]) -> None:
        class Closed(Quiet):
            def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
                if label != "serial":
                    raise BrokenPipeError
                return iter(items)

        with pytest.raises(BrokenPipeError):
            list(compare(paths, [Contender("threads", lambda: ThreadPoolExecutor(1))], Closed()))

    @pytest.mark.parametrize("has_processes", [False, True])
    def test_interrupt_gives_up_what_has_not_begun(self, paths: list[str], has_processes: bool) -> None:
        shutdowns: list[bool] = []

        class Recorded(ThreadPoolExecutor):
            def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
                shutdowns.append(cancel_futures)
                super().shutdown(wait, cancel_futures=cancel_futures)

        entrants = [Contender("threads", lambda: Recorded(1), has_processes=has_processes)]
        with pytest.raises(KeyboardInterrupt):
            list(compare(paths, entrants, Interrupted()))
        assert shutdowns == [True]

    def test_contenders_are_the_three_executors_with_the_same_workers(self) -> None:
        executors = {}
        for contender in contenders(files=1000, workers=2):
            with contender.start() as executor:
                executors[contender.name] = executor
                assert executor._max_workers == 2  # type: ignore[attr-defined]
        assert list(executors) == ["ThreadPoolExecutor", "ProcessPoolExecutor", "InterpreterPoolExecutor"]
        assert type(executors["InterpreterPoolExecutor"]).__name__ == "InterpreterPoolExecutor"

    @pytest.mark.parametrize(("files", "workers", "expected"), [(0, 1, 1), (4, 2, 1), (810, 2, 12), (10**6, 2, 16)])
    def test_process_chunksize_balances(self, files: int, workers: int, expected: int) -> None:
        assert process_chunksize(files, workers) == expected


class TestInterrupts:
    def test_interrupt_swallowed_by_a_destructor_is_raised_at_the_next_item(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        class Swallows:
            def __del__(self) -> None:
                raise KeyboardInterrupt

        seen: list[int] = []
        hook = sys.unraisablehook

        def run() -> None:
            with KeptInterrupts(Quiet()) as progress:
                for item in progress.track(range(3), 3, "serial"):
                    seen.append(item)
                    Swallows()

        with pytest.raises(KeyboardInterrupt):
            run()
        assert seen == [0]
        assert sys.unraisablehook is hook
        assert capsys.readouterr().err == ""

    def test_other_unraisable_exceptions_are_told_as_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[object] = []
        monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_type))

        class Broken:
            def __del__(self) -> None:
                raise ZeroDivisionError

        with KeptInterrupts(Quiet()) as progress:
            Broken()
            assert list(progress.track(range(3), 3, "serial")) == [0, 1, 2]
        assert told == [ZeroDivisionError]

    @pytest.mark.skipif(sys.platform == "win32", reason="no signal masks on this platform")
    @pytest.mark.parametrize("is_alone", [True, False])
    def test_deferred_interrupt_arrives_when_the_block_ends(self, is_alone: bool) -> None:
        """Another thread, which has no mask, takes the signal if there is one."""
        steps: list[str] = []
        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        if not is_alone:
            thread.start()

        def run() -> None:
            with interrupts_deferred():
                os.kill(os.getpid(), signal.SIGINT)
                steps.append("in the block")

        with pytest.raises(KeyboardInterrupt):
            run()
        end.set()
        if not is_alone:
            thread.join()
        assert steps == ["in the block"]


class TestReport:
    def test_table_aligns_columns_without_trailing_space(self) -> None:
        assert table(("n", "name", "x"), [("1", "a", "y"), ("100", "long", "")], "><<") == (
            "    n  name  x\n"  # two spaces before every line
            "  ---  ----  -\n"
            "    1  a     y\n"
            "  100  long"
        )

    def test_heading_says_how_much_of_what_is_used(self) -> None:
        files = [SourceFile(f"/d/{index}.py", 2**20) for index in range(4)]
        text = report.heading(Sources("/d", files), files[:1], FACTS)
        assert "CPython 3.14.0 on Linux x86_64, 2 cores, 2 workers for each executor" in text
        assert "1 of 4 .py files (1.0 MiB of 4.0 MiB), spread evenly over sizes; --all takes every file" in text
        assert "all 4 .py files (4.0 MiB)" in report.heading(Sources("/d", files), files, FACTS)

    def test_most_complex_orders_equals_by_place(self) -> None:
        measures = [
            FileMeasure("/d/b.py", functions=(("f", 1, 2, 5), ("g", 4, 1, 9))),
            FileMeasure("/d/a.py", functions=(("h", 7, 3, 5), ("i", 1, 3, 1))),
        ]
        assert report.most_complex(measures, "/d", count=3).splitlines() == [
            "The 3 most complex functions",
            "  complexity  lines  function  where",
            "  ----------  -----  --------  ------",
            "           9      1  g         b.py:4",
            "           5      3  h         a.py:7",
            "           5      2  f         b.py:1",
        ]
        assert "there are no functions" in report.most_complex([], "/d")

    def test_summary_counts_only_what_was_measured(self) -> None:
        measures = [
            FileMeasure("/d/a.py", None, 10, 4, (("NAME", 3), ("FSTRING_START", 1)), (("f", 1, 2, 11),), 4, 1),
            FileMeasure("/d/b.py", "SyntaxError: no", 10),
        ]
        assert report.summary(measures, "/d").splitlines() == [
            "What is in them",
            "  1 file with 4 lines",
            "  1 function, mean complexity 11.0, 0 % of them at most 10",
            "  longest function: f, 2 lines, a.py:1",
            "  docstrings: 25 % of 4 modules, classes and functions have one",
            "  4 tokens: names 75 %, strings 25 %",
        ]
        assert "no tokens" in report.summary(measures[1:], "/d")

    def test_problems_are_counted_and_listed_when_verbose(self) -> None:
        measures = [FileMeasure("/d/a.py"), FileMeasure("/d/b.py", "SyntaxError: no")]
        sources = Sources("/d", skipped=[("/d/c", "cannot read directory"), ("/d/e", "a link")])
        brief = report.problems(measures, sources, is_verbose=False)
        assert brief == "1 file not measured; --verbose says why\n2 paths skipped; --verbose says why"
        assert report.problems(measures, sources, is_verbose=True).splitlines() == [
            "1 file not measured:",
            "  b.py: SyntaxError: no",
            "2 paths skipped:",
            "  c: cannot read directory",
            "  e: a link",
        ]
        assert report.problems(measures[:1], Sources("/d"), is_verbose=True) == ""

    def test_timings_tell_speed_up_identity_and_failure(self) -> None:
        good = [FileMeasure("a.py")] * 100
        other = [*good[:-1], FileMeasure("b.py", "SyntaxError: no")]
        runs = [
            Run("serial", 10.0, good),
            Run("threads", 12.5, good, is_identical=True),
            Run("processes", 5.0, other, is_identical=False),
            Run("interpreters", 1.0, error="RuntimeError: no"),
        ]
        assert report.timings(runs, FACTS).splitlines() == [
            "100 files, one run each, 2 workers for each executor.",
            "Times include starting and stopping the workers (processes by forkserver).",
            "                seconds  speed-up  files/s  results identical",
            "  ------------  -------  --------  -------  -----------------",
            "  serial          10.00     1.00x       10  reference",
            "  threads         12.50     0.80x        8  yes",
            "  processes        5.00     2.00x       20  NO",
            "  interpreters     1.00         -        -  failed",
            "  interpreters failed: RuntimeError: no",
            "  processes differs from serial at a.py: no error / SyntaxError: no",
            "  Fastest: processes; next: serial (2.00 times as long).",
        ]

    @pytest.mark.parametrize(
        ("seconds", "verdict"),
        [
            (
                [10.0, 5.0, 4.8],
                "Fastest: run 2; too close to call (single runs differ by 10 %): run 1 (1.04 times as long).",
            ),
            ([10.0, 4.0, 5.0], "Fastest: run 1; next: run 2 (1.25 times as long)."),
            ([0.5, 0.2, 0.3], "Too little work to compare executors: starting the workers takes about as long."),
            ([10.0], "Only the run 0 run ended."),
        ],
    )
    def test_verdict_says_who_was_faster_or_that_it_cannot(self, seconds: list[float], verdict: str) -> None:
        runs = [Run(f"run {index}", value, [FileMeasure("a.py")]) for index, value in enumerate(seconds)]
        assert report.timings(runs, FACTS).splitlines()[-1] == "  " + verdict

    @pytest.mark.parametrize(("load", "is_doubtful"), [(None, False), (0.9, False), (1.1, True)])
    def test_times_on_a_busy_machine_are_called_doubtful(self, load: float | None, is_doubtful: bool) -> None:
        facts = dataclasses.replace(FACTS, load=load)
        text = report.timings([Run("serial", 2.0, [FileMeasure("a.py")])], facts)
        assert ("doubt the times" in text) is is_doubtful


class TestCommandLine:
    @pytest.mark.parametrize("name", ["missing", "empty", "file"])
    def test_bad_directory_is_one_line_and_status_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
    ) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").write_text("")
        assert cli.main([str(tmp_path / name)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert name in captured.err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--workers", "0"],
            ["--workers", "two"],
            ["--files", "-1"],
            ["--files", "3", "--all"],
            ["--speed"],
            ["a", "b"],
        ],
    )
    def test_bad_arguments_are_one_line_and_status_2(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str]
    ) -> None:
        with pytest.raises(SystemExit) as raised:
            cli.main(arguments)
        assert raised.value.code == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1

    def test_interrupt_is_one_line_and_status_130(
        self, paths: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli, "choose_progress", lambda _: Interrupted())
        monkeypatch.setattr(cli, "contenders", lambda *_: [Contender("threads", lambda: ThreadPoolExecutor(1))])
        assert cli.main([str(Path(paths[0]).parent)]) == 130
        assert capsys.readouterr().err == "python -m interp_pool demo: interrupted\n"

    def test_failed_executor_is_status_1(
        self, paths: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> Executor:
            raise OSError("no semaphores")

        monkeypatch.setattr(cli, "contenders", lambda *_: [Contender("broken", fail)])
        assert cli.main([str(Path(paths[0]).parent)]) == 1
        assert "broken failed: OSError: no semaphores" in capsys.readouterr().out


class TestWholeRun:
    def test_small_directory_gives_identical_results_with_all_executors(self, paths: list[str]) -> None:
        root = Path(paths[0]).parent
        (root / "bad name\udcff.py").write_text("def f\u00e9(): pass", encoding="utf-8")
        (root / "warns.py").write_text("x = '\\d'\n")
        run = subprocess.run(
            [*COMMAND, str(root), "--workers", "2", "--verbose"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            check=False,
        )
        assert run.returncode == 0, run.stderr
        for name in ("ThreadPoolExecutor", "ProcessPoolExecutor", "InterpreterPoolExecutor"):
            row = next(line for line in run.stdout.splitlines() if line.split()[:1] == [name])
            assert row.endswith("yes")
            assert f"{name}: 6/6 files in" in run.stderr
        assert "all 6 .py files" in run.stdout
        assert "3.py: SyntaxError: invalid syntax (line 1)" in run.stdout
        assert "2      2  g" in run.stdout
        assert "Warning" not in run.stderr
        assert "Traceback" not in run.stderr

    def test_reader_that_leaves_early_ends_it_without_traceback(self, paths: list[str]) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        try:
            run = subprocess.run(
                [*COMMAND, str(Path(paths[0]).parent)], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
            )
        finally:
            os.close(writing)
        assert run.returncode == 141
        assert run.stderr == ""

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
    def test_full_disk_is_one_line_and_status_1(self, paths: list[str]) -> None:
        with open("/dev/full", "w") as full:
            run = subprocess.run(
                [*COMMAND, str(Path(paths[0]).parent)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert run.returncode == 1
        assert run.stderr == f"python -m interp_pool demo: cannot write the report: {os.strerror(errno.ENOSPC)}\n"

    @pytest.mark.skipif(sys.platform == "win32", reason="no process groups to send Ctrl-C to")
    @pytest.mark.parametrize("last_line", ["serial: ", "ThreadPoolExecutor: ", "ProcessPoolExecutor: "])
    def test_ctrl_c_during_the_next_run_ends_it_without_traceback(self, last_line: str) -> None:
        # As a terminal does it, the interrupt goes to every process of the group, workers included. It is sent when
        # the run before has ended, so it arrives while the next one, of half a second and more, starts or works.
        with subprocess.Popen(
            [*COMMAND, "--files", "200"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stderr is not None
            lines: list[str] = []
            for line in process.stderr:
                lines.append(line)
                if line.startswith(last_line) and " files in " in line:
                    os.killpg(process.pid, signal.SIGINT)
        assert process.returncode == 130, "".join(lines)
        assert lines[-1] == "python -m interp_pool demo: interrupted\n"
        assert "Traceback" not in "".join(lines)
