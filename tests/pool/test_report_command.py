"""`python -m interp_pool report`: files, words and exit statuses."""

from __future__ import annotations

import pytest
import tasks

import interp_pool
from interp_pool import InterpreterPoolExecutor
from interp_pool.__main__ import main


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "run.json"
    with interp_pool.trace(path), InterpreterPoolExecutor(2) as executor:
        assert sum(executor.map(tasks.identity, range(1000))) == 499_500
        executor.submit(tasks.identity, "<&>").result(60)
    return path


def test_page_is_made_beside_the_trace_and_its_name_printed(trace, capsys):
    assert main(["report", str(trace)]) == 0
    page = trace.with_suffix(".html")
    assert capsys.readouterr().out == f"{page}\n"
    assert "1,000 items" in page.read_text(encoding="utf-8")


def test_page_is_made_where_it_is_asked_for(trace, tmp_path):
    assert main(["report", str(trace), "-o", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_trace_that_is_cut_off_is_read(trace):
    text = trace.read_text(encoding="utf-8")
    trace.write_text(text[: len(text) // 2], encoding="utf-8")
    assert main(["report", str(trace)]) == 0
    assert "ends in the middle" in trace.with_suffix(".html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read"),
        ("", "is no trace of interp_pool"),
        ("\0\xff[[", "is no trace"),
        ("[" * 100_000, "is no trace"),
        ('{"traceEvents": [{"ph": "X", "ts": null}]}', "is no trace"),
        ('{"traceEvents": [{"ph": "X", "ts": 1, "pid": "browser", "tid": []}]}', "is no trace"),
        ('{"ph": "M", "name": "others", "args": [1]}', "is no trace"),
    ],
)
def test_what_is_no_trace_is_an_error_in_one_line(tmp_path, capsys, content, words):
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    assert main(["report", str(path)]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("other", [str, lambda trace: f"{trace.parent}/../{trace.parent.name}/{trace.name}"])
def test_page_does_not_take_the_place_of_its_trace(trace, capsys, other):
    before = trace.read_bytes()
    assert main(["report", str(trace), "-o", other(trace)]) == 2
    assert "is the trace itself" in capsys.readouterr().err
    assert trace.read_bytes() == before


def test_page_of_names_that_are_no_text_is_made(tmp_path):
    path = tmp_path / "run.json"
    with interp_pool.trace(path), InterpreterPoolExecutor(1, thread_name_prefix="p\udc80") as executor:
        assert executor.options(name="t\ud800").submit(tasks.identity, 1).result(60) == 1
    assert main(["report", str(path)]) == 0
    text = path.with_suffix(".html").read_text(encoding="utf-8")
    assert "t\\ud800" in text
    assert "p\\udc80" in text


def test_names_are_told_in_a_line_that_is_not_long(tmp_path):
    path = tmp_path / "run.json"
    with interp_pool.trace(path), InterpreterPoolExecutor(1) as executor:
        for name in ("begin" + 10_000 * "x" + "end", " ", "two\nlines"):
            assert executor.options(name=name).submit(tasks.identity, 1).result(60) == 1
    assert main(["report", str(path)]) == 0
    text = path.with_suffix(".html").read_text(encoding="utf-8")
    assert "begin" + 35 * "x" + "..." + 37 * "x" + "end" in text
    assert 41 * "x" not in text
    assert "<code>&#x27; &#x27;</code>" in text
    assert "<code>two\\nlines</code>" in text


@pytest.mark.parametrize("name", [".", "/"])
def test_folder_is_no_trace(capsys, name):
    assert main(["report", name]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_page_that_cannot_be_written_is_an_error(trace, tmp_path, capsys):
    assert main(["report", str(trace), "-o", str(tmp_path / "nowhere" / "page.html")]) == 1
    assert "cannot write the report: No such file or directory" in capsys.readouterr().err


def test_arguments_that_are_wrong_are_told_in_one_line(capsys):
    with pytest.raises(SystemExit) as info:
        main(["report"])
    assert info.value.code == 2
    assert "error: the following arguments are required: TRACE.json" in capsys.readouterr().err
