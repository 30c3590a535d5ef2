"""`python -m interp_pool run`: what it finds, how it reads its arguments, what it tells. Nothing is run here."""

import os
import sys
from pathlib import Path

import pytest

from interp_pool._swap.ledger import Swapped, Tasks
from interp_pool.run import cli, targets, trees
from interp_pool.run.compare import Run, describe, differences
from interp_pool.run.report import as_json, as_text
from interp_pool.run.targets import Target, TargetError, find_target


@pytest.mark.parametrize(
    ("given", "own", "rest"),
    [
        ("x.py", "x.py", ""),
        ("x.py -m --compare", "x.py", "-m --compare"),
        ("--fallback process x.py --fallback", "--fallback process x.py", "--fallback"),
        ("--fallback=process --compare x.py a", "--fallback=process --compare x.py", "a"),
        ("--route a:b --route c.* x.py y", "--route a:b --route c.* x.py", "y"),
        ("--report r.json -m json.tool -h", "--report r.json -m json.tool", "-h"),
        ("--compare -- -m x", "--compare -- -m", "x"),
        ("--fallback", "--fallback", ""),
        ("", "", ""),
    ],
)
def test_arguments_behind_the_program_are_its_own(given: str, own: str, rest: str) -> None:
    assert cli._split(given.split()) == (own.split(), rest.split())


def test_options_that_say_how_tasks_run_are_passed_on() -> None:
    arguments = cli._parse(["--compare", "--fallback=thread", "--route", "a:b", "--route=c.*", "x.py"])
    assert cli._own(arguments) == ["--fallback", "thread", "--route", "a:b", "--route", "c.*"]
    assert cli._own(cli._parse(["x.py"])) == []


@pytest.mark.parametrize("argv", [[], ["--fallback", "fork", "x.py"], ["--nonsense", "x.py"], ["-m"]])
def test_wrong_arguments_get_one_line_and_status_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as info:
        cli.main(argv)
    assert info.value.code == 2
    errors = capsys.readouterr().err
    assert errors.startswith("python -m interp_pool run: error: ")
    assert errors.count("\n") == 1


class TestTargets:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        self.scripts = tmp_path / "scripts"
        self.scripts.mkdir()
        monkeypatch.setattr(targets, "_installed", lambda name: [str(self.scripts / name)])

    def test_file_is_a_script_before_anything_else(self) -> None:
        for name in ("program", "program.txt"):
            Path(name).touch()
            (self.scripts / name).touch()
            assert find_target(name, is_module=False) == Target("script", name)

    def test_plain_name_is_a_console_script_before_a_directory(self) -> None:
        Path("program").mkdir()
        Path("program/__main__.py").touch()
        assert find_target("program", is_module=False) == Target("script", "program")
        (self.scripts / "program").touch()
        assert find_target("program", is_module=False) == Target("script", str(self.scripts / "program"))
        assert find_target("./program", is_module=False) == Target("script", "./program")

    def test_module_is_not_looked_for(self) -> None:
        assert find_target("program", is_module=True) == Target("module", "program")

    def test_entry_point_without_a_script_is_a_text(self) -> None:
        info = Path("program-1.dist-info")
        info.mkdir()
        (info / "METADATA").write_text("Name: program\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[console_scripts]\nrun-it = pro.gram:Class.main\n")
        sys.path.insert(0, os.getcwd())
        try:
            found = find_target("run-it", is_module=False)
        finally:
            del sys.path[0]
        assert found == Target("code", "run-it", "import sys\nfrom pro.gram import Class\nsys.exit(Class.main())\n")
        assert found.words()[0] == "-c"

    @pytest.mark.skipif(sys.platform == "win32", reason="what is run there has no first line")
    @pytest.mark.parametrize(
        ("text", "is_python"),
        [
            ("#!/usr/bin/env python3\n", True),
            ("#!/bin/sh\n'''exec' '/with space/python3' \"$0\" \"$@\"\n' '''\n", True),
            ("#!/bin/sh\necho python\n", False),
            ("\x7fELF", False),
        ],
    )
    def test_script_on_path_has_to_be_python(self, text: str, is_python: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        place = Path("bin/program").absolute()
        place.parent.mkdir()
        place.write_text(text)
        place.chmod(0o755)
        monkeypatch.setenv("PATH", str(place.parent))
        if is_python:
            assert find_target("program", is_module=False) == Target("script", str(place))
        else:
            with pytest.raises(TargetError, match="it is no Python script"):
                find_target("program", is_module=False)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("nosuch", "there is no file and no console script of that name"),
            ("nosuch.py", "there is no file of that name"),
            ("./nosuch", "there is no file of that name"),
            ("scripts", "it has no __main__.py"),
        ],
    )
    def test_what_is_not_there_is_an_error(self, name: str, text: str) -> None:
        with pytest.raises(TargetError, match=text):
            find_target(name, is_module=False)


class TestReport:
    def test_everything_is_told(self) -> None:
        tasks = Tasks(1200, 3, 0, ("regex refuses",))
        swapped = Swapped(2, 1, os.path.join("/work", "x.py:12"), ("m.C: final",), tasks)
        told = as_json(swapped, 1.234, "/work")
        assert told["tasks"]["processes"] == 3
        assert as_text(told).splitlines() == [
            "interp_pool run: swapped 2 executors and 1 pool, the first at x.py:12",
            "interp_pool run: left as it is: m.C: final",
            "interp_pool run: tasks, a batch of a map being one: 1,200 in interpreters, 3 in processes",
            "interp_pool run: fell back: regex refuses",
            "interp_pool run: it took 1.23 s",
        ]

    def test_nothing_was_swapped(self) -> None:
        assert as_text(as_json(Swapped(0, 0, None, (), Tasks()), 1, "/")).splitlines() == [
            "interp_pool run: nothing was swapped: the program made no ProcessPoolExecutor and no multiprocessing.Pool",
            "interp_pool run: it took 1.00 s",
        ]


class TestDifferences:
    @pytest.mark.parametrize(
        ("theirs", "ours", "found"),
        [
            (b"a\nb\n", b"a\nb\n", []),
            (b"a\nb\n", b"b\na\n", ["stdout has the same lines in another order"]),
            (b"a\nb\n", b"a\nc\n", ["stdout differs from line 2 on: 'b' became 'c'"]),
            (b"a\nb\n", b"a\n", ["stdout differs from line 2 on: 'b' became nothing"]),
            (b"a\n", b"a", ["stdout differs in how its lines end"]),
        ],
    )
    def test_outputs_are_compared_by_lines(self, theirs: bytes, ours: bytes, found: list[str]) -> None:
        assert differences(Run(1, 0, theirs, {}), Run(1, 0, ours, {})) == found

    def test_status_and_files_are_compared(self) -> None:
        files = {str(n): "1" for n in range(7)}
        assert differences(Run(1, 0, b"", files), Run(2, 3, b"", {"0": "1"})) == [
            "the exit status 0 became 3",
            "files differ: 1, 2, 3, 4, 5 and 1 more",
        ]

    def test_table_has_both_runs(self) -> None:
        text = describe(Run(2, 0, b"a\n", {"x": "1"}), Run(1, 0, b"a\n", {"x": "1"}), [])
        assert text.splitlines() == [
            "                      time  exit status  stdout  changed",
            "  ----------------  ------  -----------  ------  -------",
            "  unmodified        2.00 s            0  1 line   1 file",
            "  with interp_pool  1.00 s            0  1 line   1 file",
            "the same: stdout, exit status and files",
        ]
        assert describe(Run(1, 0, b"", {}), Run(1, 0, b"", {}), ["x"]).endswith("\ndifferent: x\n")


class TestTrees:
    def test_changes_are_what_was_written_changed_and_deleted(self, tmp_path: Path) -> None:
        root, copy = tmp_path / "root", tmp_path / "copy"
        (root / "sub").mkdir(parents=True)
        for name in ("kept", "changed", "deleted", "sub/kept"):
            (root / name).write_text("1")
        if sys.platform != "win32":
            (root / "link").symlink_to("kept")
            os.mkfifo(root / "pipe")
        trees.copy_tree(str(root), str(copy))
        before = trees.snapshot(str(copy))
        assert trees.snapshot(str(root)) == before
        assert not (copy / "pipe").exists()
        (copy / "changed").write_text("2")
        (copy / "new").write_text("1")
        (copy / "deleted").unlink()
        (copy / "__pycache__").mkdir()
        (copy / "__pycache__" / "x.pyc").touch()
        changed = trees.changes(before, trees.snapshot(str(copy)))
        assert changed.keys() == {"changed", "new", "deleted"}
        assert changed["deleted"] == "deleted"

    def test_too_much_is_not_copied(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "large").write_bytes(bytes(11))
        monkeypatch.setattr(trees, "MOST_BYTES", 10)
        with pytest.raises(TargetError, match="--compare copies it"):
            trees.copy_tree(str(tmp_path), str(tmp_path / "copy"))
        assert not (tmp_path / "copy").exists()
