"""Which warm interpreters are kept."""

from __future__ import annotations

import pytest

import interp_api
from interp_pool._workers.reserve import MOST_IDLE, Reserve


class FakeInterpreter:
    def __init__(self):
        self.is_closed = False

    def close(self):
        self.is_closed = True


@pytest.fixture
def unclaimed(monkeypatch):
    """Fakes have no gate."""
    for name in ("claim", "unclaim"):
        monkeypatch.setattr(interp_api, name, lambda _interpreter: None)


@pytest.mark.usefixtures("unclaimed")
def test_reserve_keeps_the_most_idle_and_closes_the_oldest():
    kept = Reserve()
    made = [FakeInterpreter() for _ in range(MOST_IDLE + 2)]
    for interpreter in made:
        kept.give(interpreter, None)
    assert [interpreter.is_closed for interpreter in made[:3]] == [True, True, False]
    assert kept.take() is made[-1]
    kept.close_idle()
    assert all(interpreter.is_closed for interpreter in made[:-1])


@pytest.mark.usefixtures("unclaimed")
def test_reserve_goes_on_when_one_cannot_be_closed():
    class Stubborn(FakeInterpreter):
        def close(self):
            raise interp_api.InterpreterError("interpreter running")

    kept, last = Reserve(), FakeInterpreter()
    kept.give(Stubborn(), None)
    kept.give(last, None)
    kept.close_idle()
    assert last.is_closed
