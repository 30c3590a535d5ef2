"""Statistics of tasks: they are added up as `pstats` does, and written when they have changed."""

from __future__ import annotations

import cProfile
import errno
import marshal
import os
import pstats

import pytest

from interp_pool._options.checks import check_output_file
from interp_pool._process.profiles import Profiles, merge


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def sort(n):
    return sorted(range(n), key=lambda each: -fibonacci(each))


def measure(function, *args):
    profile = cProfile.Profile()
    profile.runcall(function, *args)
    profile.create_stats()
    return profile


def dump(function, *args):
    return marshal.dumps(measure(function, *args).stats)


@pytest.fixture
def profiles():
    return Profiles()


@pytest.fixture
def file(tmp_path):
    return str(tmp_path / "out.prof")


def test_sum_is_that_of_pstats():
    parts = [measure(*call) for call in ((fibonacci, 5), (sort, 4), (fibonacci, 3), (sorted, [1]), (sort, 2))]
    total = {}
    for part in parts:
        merge(total, marshal.loads(marshal.dumps(part.stats)))
    expected = pstats.Stats(*parts).stats  # which takes them out of the parts
    assert total.keys() == expected.keys()
    for function, (calls, primitive, own, whole, callers) in total.items():
        assert (calls, primitive, own, whole) == pytest.approx(expected[function][:4])
        assert callers.keys() == expected[function][4].keys()
        for caller, times in callers.items():
            assert times == pytest.approx(expected[function][4][caller])


def test_file_has_what_was_noted_for_it_and_is_written_when_that_has_changed(profiles, file):
    profiles.note("task", file, dump(fibonacci, 3), None)
    profiles.note("task", file, dump(fibonacci, 3), None)
    profiles.note("task", f"{file}2", dump(fibonacci, 2), None)
    profiles.write()
    calls = {function[2]: each[1] for function, each in pstats.Stats(file).stats.items()}
    assert calls["fibonacci"] == 10
    os.unlink(file)
    profiles.write()
    assert not os.path.exists(file)
    profiles.note("task", file, dump(fibonacci, 0), None)
    profiles.write()
    calls = {function[2]: each[1] for function, each in pstats.Stats(file).stats.items()}
    assert calls["fibonacci"] == 11


def test_file_that_cannot_be_written_is_an_error_or_logged_and_written_later(profiles, tmp_path, caplog):
    file = tmp_path / "folder" / "out.prof"
    profiles.note("task", str(file), dump(fibonacci, 1), None)
    with pytest.raises(FileNotFoundError, match=r"out\.prof"):
        profiles.write()
    profiles.write_or_log()
    assert f"cannot write the profile {file}: [Errno {errno.ENOENT}]" in caplog.text
    file.parent.mkdir()
    profiles.end()
    assert pstats.Stats(str(file)).total_calls == 2


def test_what_was_not_measured_is_logged_once_for_each_reason(profiles, file, caplog):
    for task in ("task a()", "task b()"):
        for reason in ("ran on the moon", "ran in a dream"):
            profiles.note(task, file, None, reason)
    profiles.write()
    assert [record.getMessage() for record in caplog.records] == [
        f"task a() is not in the profile {file}: it ran on the moon",
        f"task a() is not in the profile {file}: it ran in a dream",
    ]
    assert not os.path.exists(file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are none")
def test_fifo_that_nobody_reads_holds_nobody_up(profiles, file, caplog):
    os.mkfifo(file)
    profiles.note("task", file, dump(fibonacci, 1), None)
    profiles.write_or_log()
    assert f"cannot write the profile {file}" in caplog.text
    assert "it is a FIFO that nobody reads" in caplog.text


def test_forked_child_has_nothing_to_write(profiles, file):
    profiles.note("task", file, dump(fibonacci, 1), None)
    profiles.after_fork_in_child()
    profiles.write()
    assert not os.path.exists(file)


def test_path_is_checked_without_writing_and_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_output_file("profile", "a.prof") == check_output_file("profile", tmp_path / "a.prof")
    assert check_output_file("profile", "a.prof") == str(tmp_path / "a.prof")
    assert not [*tmp_path.iterdir()]
    for given, error in (
        (tmp_path, IsADirectoryError),
        (tmp_path / "none" / "a.prof", FileNotFoundError),
        (b"a.prof", TypeError),
        (True, TypeError),
    ):
        with pytest.raises(error, match="profile"):
            check_output_file("profile", given)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such rights")
def test_path_that_may_not_be_written_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(tmp_path))  # root may write everywhere
    with pytest.raises(PermissionError, match="profile cannot be written"):
        check_output_file("profile", tmp_path / "a.prof")
