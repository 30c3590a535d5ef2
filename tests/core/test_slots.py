"""Exceptions whose attributes are in slots arrive with them."""

from __future__ import annotations

import pytest
import slots_tasks
from slots_tasks import (
    Derived,
    Frozen,
    OwnReduce,
    OwnState,
    Slotted,
    SlottedGroup,
    SlottedOS,
    TwoSlots,
    WithDict,
    raise_group,
    raise_nested,
    raise_unpicklable_slot,
    raise_with_slots,
)

from interp_pool._wire.decoding import decode_failure
from interp_pool._wire.failures import encode_failure


def of(function, *args):
    """Return what a function raises, as whoever asks for the result of a task gets it."""
    with pytest.raises(BaseException) as info:  # noqa: PT011  # any
        function(*args)
    return decode_failure(encode_failure(info.value))


@pytest.mark.parametrize(
    ("kind", "args", "slots"),
    [
        (Slotted, ("x",), {"code": 7}),
        (Slotted, ("x",), {}),
        (Derived, ("x",), {"code": [1, 2], "more": {"a": 1}}),
        (WithDict, ("x",), {"code": 7, "more": "m", "extra": "e"}),
        (SlottedOS, (2, "gone", "/x"), {"where": "here"}),
        (TwoSlots, (1, 2), {"right": 3}),
        (OwnState, ("x",), {"kept": 5}),
        (OwnReduce, ("x",), {"kept": 5}),
        (Frozen, ("x",), {"value": 5}),
    ],
    ids=str,
)
def test_slots_of_an_exception_arrive(kind, args, slots):
    exc = of(raise_with_slots, kind, args, slots)
    expected = slots_tasks.with_slots(kind, *args, **slots)
    assert type(exc) is kind
    assert exc.args == expected.args
    assert str(exc) == str(expected)
    for name, value in slots.items():
        assert getattr(exc, name) == value
    assert not hasattr(exc, "unset")


def test_mangled_slot_of_a_base_class_arrives():
    exc = of(raise_with_slots, WithDict, ("x",), {"_Derived__secret": "changed"})
    assert exc.secret == "changed"
    assert of(raise_with_slots, WithDict, ("x",), {}).secret == "secret of x"


def test_slot_that_cannot_be_pickled_loses_only_itself():
    exc = of(raise_unpicklable_slot)
    assert type(exc) is Slotted
    assert exc.unset == 5
    assert not hasattr(exc, "code")


def test_slots_of_exceptions_in_groups_arrive():
    exc = of(raise_group)
    assert type(exc) is SlottedGroup
    assert exc.owner == "me"
    first, deep = exc.exceptions
    [second] = deep.exceptions
    assert (first.code, second.code, second.more, second.extra, second.secret) == (1, 2, "m", "e", "secret of b")


def test_slots_of_exceptions_in_exceptions_arrive():
    exc = of(raise_nested)
    assert exc.code.code == 3
    assert exc.also.code == 4
    assert exc.args[1].code == 5
