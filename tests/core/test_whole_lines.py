"""What is written to the system at once, and what a line is, without interpreters."""

from __future__ import annotations

from io import RawIOBase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_pool._seeing.output import Lines
from interp_pool._worker.output import Lines as TaskLines
from interp_pool._worker.output import shown
from interp_pool._worker.surroundings import _LONGEST_LINE, _WholeLines


class Written(RawIOBase):
    """Keeps each write."""

    def __init__(self):
        self.writes = []

    def writable(self):
        return True

    def write(self, data, /):
        self.writes.append(bytes(data))
        return len(data)


def written(chunks):
    """Return what comes of each write until then, and of the flush at the end."""
    raw = Written()
    lines = _WholeLines(raw, _LONGEST_LINE)
    for chunk in chunks:
        assert lines.write(chunk) == len(chunk)
    writes = [*raw.writes]
    lines.flush()
    return writes, raw.writes[len(writes) :]


def test_lines_are_held_until_there_are_many():
    assert written([b"a\n", b"b\n"]) == ([], [b"a\nb\n"])


@given(st.lists(st.integers(0, 3 * _WholeLines.AT_ONCE), max_size=12), st.integers(1, _WholeLines.AT_ONCE))
def test_each_write_has_whole_lines_that_are_written_as_one(lengths, size):
    text = b"".join(b"x" * length + b"\n" for length in lengths)
    writes, rest = written(text[start : start + size] for start in range(0, len(text), size))
    assert b"".join(writes + rest) == text
    for each in writes + rest:
        assert each.endswith(b"\n")
        assert len(each) <= _WholeLines.AT_ONCE or each.count(b"\n") == 1  # a line that is longer comes alone


@pytest.mark.parametrize("wrong", [10, [65], "text"])
def test_what_is_no_bytes_is_refused(wrong):
    with pytest.raises(TypeError):
        written([wrong])
    with pytest.raises(TypeError):
        TaskLines("stdout", None).write(wrong)


def test_line_without_an_end_is_held_as_long_as_there_is_room():
    writes, rest = written([b"first\n", *[b"x" * 1000] * 30, b"\n", b"last"])
    assert writes + rest == [b"first\n", b"x" * 30_000 + b"\n", b"last"]


def test_line_that_is_too_long_is_written_in_parts():
    text = b"x" * (3 * _LONGEST_LINE) + b"\n"
    writes, rest = written([text[:5000], text[5000:]])
    assert b"".join(writes + rest) == text


def test_anything_with_bytes_can_be_written():
    assert written([memoryview(b"a\n"), bytearray(b"b\n")]) == ([], [b"a\nb\n"])


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"text", "text"),
        (b"", ""),
        (b"text\r", "text"),
        (b"1%\r2%\r3%", "3%"),
        (b"1%\r2%\r", "2%"),
        (b"\r", ""),
        (b"gr\xc3\xbcn \xff", "grün \\xff"),
    ],
)
def test_line_is_what_a_terminal_shows_at_its_end(line, text):
    assert shown(line) == text


@pytest.mark.parametrize(
    ("prefix", "is_named", "worker", "head"),
    [
        ("InterpreterPoolExecutor-3", False, "InterpreterPoolExecutor-3_1", "[f | worker_1] "),
        ("InterpreterPoolExecutor-3", False, "InterpreterPoolExecutor-3_process_1", "[f | process_1] "),
        ("parser", True, "parser_1", "[f | parser_1] "),
        ("InterpreterPoolExecutor-3", False, "", "[f] "),
    ],
)
def test_prefix_is_short_and_names_both(prefix, is_named, worker, head):
    assert Lines("prefix", prefix, is_named).head("f", worker) == head


def test_prefix_without_a_task_names_the_worker():
    assert Lines("prefix", "parser", is_named=True).head(None, "parser_1") == "[parser_1] "


def test_names_before_a_line_make_no_further_lines_and_tell_a_terminal_nothing():
    head = Lines("prefix", "x\n", is_named=True).head("a\udc80\x1b[31m", "x\n_1")
    assert head == "[a\\udc80\\x1b[31m | x\\n_1] "
