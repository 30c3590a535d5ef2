"""What `faulthandler` has written, as the calls of each thread."""

from __future__ import annotations

import pytest

from interp_pool._seeing.stacks import calls_by_thread

DUMP = """\
Thread 0x00007f3a{first} (most recent call first):
  File "/a b/it's.py", line 12 in wait
  File "/usr/lib/threading.py", line 3 in <lambda>

Thread 0x00007f3b{second} (most recent call first):
  <no Python frame>

Current thread 0x00007f3c{third} (most recent call first):
  File "<string>", line 1 in <module>
...
"""


@pytest.mark.parametrize("names", [("", "", ""), (" [interp_pool mo]", "", " [python]")])  # as of CPython 3.14
def test_calls_are_those_of_each_thread_with_the_innermost_last(names):
    assert calls_by_thread(DUMP.format(first=names[0], second=names[1], third=names[2])) == {
        0x7F3A: [("/usr/lib/threading.py", 3, "<lambda>"), ("/a b/it's.py", 12, "wait")],
        0x7F3B: [],
        0x7F3C: [("<string>", 1, "<module>")],
    }
