"""`python -m interp_pool top` draws with rich where that is installed."""

from __future__ import annotations

import pytest
from monitored import Screen, finish, press_keys, program, runtime_directory

pytest.importorskip("rich")
pytestmark = pytest.mark.hosts

ANOTHER_SCREEN, OWN_SCREEN = "\x1b[?1049h", "\x1b[?1049l"


def test_it_has_a_screen_of_its_own_and_the_same_keys(tmp_path, monkeypatch):
    with runtime_directory() as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
        monkeypatch.setenv("INTERP_POOL_MONITOR", "1")
        with program(tmp_path) as made:
            with Screen("--interval", "0.2") as screen:
                screen.wait_for(ANOTHER_SCREEN)
                press_keys(screen)
                assert finish(made, "interrupted\n") == (0, "TaskInterrupted\n", "")
                screen.wait_for(OWN_SCREEN)
                screen.wait_for("the program has ended")
            assert screen.status == 0
