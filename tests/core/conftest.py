"""Tests of decisions: of what needs no thread, no interpreter, no other program and no time that passes."""

from __future__ import annotations

import pytest
from effects import effects


@pytest.fixture(autouse=True)
def _only_decisions():
    """Refuse what a decision does not need, and fail the test even if the refusal was caught."""
    effects.listen()
    effects.noted.clear()
    effects.are_forbidden = True
    with effects.with_interpreters():
        yield
    effects.are_forbidden = False
    assert not effects.noted, "put it into another folder than tests/core"
