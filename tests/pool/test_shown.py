"""A task's name is what the system calls its thread, while it runs, where the task's options say so."""

from __future__ import annotations

import sys
import traceback

import profile_tasks
import pytest
import tasks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what the system calls a thread")


def test_name_is_shown_while_the_task_runs(single):
    own = single.submit(profile_tasks.thread_names).result(60)
    view = single.options(show_name=True)
    named = view.options(name="some primes and more")
    assert view.submit(profile_tasks.thread_names).result(60) == names("thread_names", own)
    assert named.submit(profile_tasks.thread_names).result(60) == names("some primes and more", own)
    assert set(named.map(profile_tasks.thread_names, range(9))) == {names("some primes and more", own)}
    assert single.submit(profile_tasks.thread_names).result(60) == own


def names(shown, own):
    """Return what Python and the system call a thread that is shown, and has names of its own."""
    return shown, shown[:15] if sys.version_info >= (3, 14) else own[1]


def test_error_of_a_task_that_is_shown_is_its_own(single):
    own = single.submit(profile_tasks.thread_names).result(60)
    error = single.options(show_name=True).submit(tasks.fail, ValueError("spam")).exception(60)
    assert str(error) == "spam"
    assert "shown.py" not in "".join(traceback.format_exception(error))
    assert single.submit(profile_tasks.thread_names).result(60) == own


def test_show_name_is_a_bool(single):
    with pytest.raises(TypeError, match="show_name must be a bool"):
        single.options(show_name="yes")
