"""Telling the exceptions of what is pickled from those of signal handlers."""

from __future__ import annotations

import pytest

from interp_api import comes_again


def raise_in_turn(*errors):
    left = [*errors]

    def step():
        error = left.pop(0)
        if error is not None:
            raise error

    return step


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_exception_that_comes_again_is_the_steps(kind):
    assert comes_again(kind(), raise_in_turn(kind(), kind()))


@pytest.mark.parametrize(
    "others", [(None,), (TypeError(),), (ValueError(), None), (ValueError(), KeyboardInterrupt())], ids=repr
)
def test_exception_that_does_not_come_again_is_a_signal_handlers(others):
    assert not comes_again(ValueError(), raise_in_turn(*others))


def test_ctrl_c_is_nobodys_own():
    assert not comes_again(KeyboardInterrupt(), raise_in_turn())
