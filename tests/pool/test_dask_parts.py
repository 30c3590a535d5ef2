"""What stands behind `interp_pool.dask` and needs no dask: calls in an interpreter, sizes of batches, the extra."""

from __future__ import annotations

import operator
import pickle
import sys
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_pool._core import batch_sizes
from interp_pool._dask import batches, calls
from interp_pool._dask.calls import Opening, Packed, Slot, collect, pack, pairs, run_packed, run_packed_batch, run_steps


class Thing:
    """Something that can be watched going."""


def test_steps_use_results_of_earlier_ones():
    steps = [
        (operator.add, (1, 2), {}),
        (operator.mul, (Slot(0), 10), {}),
        (collect, (list, Slot(0), Slot(1, is_last=True)), {}),
        (pairs, ("a", Slot(2), "b", Slot(0, is_last=True)), {}),
        (dict, (), {"c": Slot(3)}),
    ]
    steps = pickle.loads(pickle.dumps(steps))
    assert run_steps(steps, 4) == {"c": {"a": [3, 30], "b": 3}}
    assert run_steps(steps[:2], 0) == 3


def test_result_goes_when_the_last_step_that_needs_it_has_begun():
    gone = []

    def use(thing):
        return weakref.ref(thing)

    def look(reference):
        gone.append(reference() is None)

    assert run_steps([(Thing, (), {}), (use, (Slot(0, is_last=True),), {}), (look, (Slot(1),), {})], 2) is None
    assert gone == [True]


def test_packed_object_is_opened_where_it_is_to_be():
    packed = pack((operator.add, (1, 2), {}), ("operator:add", "builtins.int"))
    assert repr(packed) == f"<operator:add, {len(packed.data)} bytes>"
    assert sys.getsizeof(packed) >= len(packed.data)
    copy = pickle.loads(pickle.dumps(packed))
    assert type(copy) is Packed
    assert (copy.data, copy.shape) == (packed.data, packed.shape)
    assert pickle.loads(pickle.dumps(Opening(packed.data))) == (operator.add, (1, 2), {})
    assert run_packed(copy).open() == run_packed(copy.open()).open() == 3


def test_call_that_is_to_go_elsewhere_does_not_run(monkeypatch):
    called = []
    result, began, ended, _ = calls.run_call(called.append, (1,), {})
    assert result is None
    assert began <= ended
    monkeypatch.setattr(calls, "sends_elsewhere", True)
    assert calls.run_call(called.append, (2,), {}) is None
    assert called == [1]


def test_outcomes_of_a_batch_stand_for_themselves():
    outcomes, seconds = run_packed_batch((divmod, [(7, 2), (1, 0), (9, 3)])).open()
    assert [is_result for is_result, _ in outcomes] == [True, False, True]
    assert (outcomes[0][1], outcomes[2][1]) == ((3, 1), (3, 0))
    assert outcomes[1][1][2] == "ZeroDivisionError"
    assert seconds >= 0


def test_result_that_cannot_be_pickled_fails_alone():
    outcomes, _ = run_packed_batch((make, [(1,), (0,)])).open()
    assert outcomes[0] == (True, 1)
    assert outcomes[1][0] is False
    assert "cannot send the result: " in outcomes[1][1][5]  # the reason is that of cloudpickle, where there is one


def make(number):
    return number or sys._getframe()


def test_shape_tells_function_and_types():
    assert calls.shape_of_call(operator.add, (1, "a")) == ("_operator:add", "builtins.int", "builtins.str")
    assert calls.shape_of_call(Thing(), ()) == (f"{__name__}:Thing",)


@given(
    st.none() | st.floats(0, 100),
    st.floats(0, 1e9),
    st.integers(1, 10**6),
    st.none() | st.integers(1, 10**9),
    st.integers(1, 10**5),
)
def test_batch_is_never_empty_nor_larger_than_what_is_left(seconds, size, largest, remaining, threads):
    count = batches.next_size(seconds, size, largest, remaining, threads)
    assert count >= 1
    assert remaining is None or count <= remaining
    assert count <= max(1, largest * batch_sizes.GROWTH)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ((None, 0, 1, 10**6, 4), 1),  # nothing was measured
        ((1e-3, 0, 1000, None, 4), 20),  # 20 ms of work
        ((1e-3, 0, 1000, None, 100), 300),  # in a large cluster more, for the scheduler's sake
        ((1.0, 0, 1000, None, 4), 1),
        ((1e-3, 0, 1000, 80, 4), 10),  # half of an even share
        ((1e-3, 0, 1000, 3, 4), 3),  # but no less than 5 ms of work
        ((1e-6, 0, 2, None, 4), 64),  # not far beyond what was measured
        ((1e-3, 1 << 20, 1000, None, 4), 4),  # bytes
    ],
)
def test_batch_size(arguments, count):
    assert batches.next_size(*arguments) == count


def test_messages_ahead_suffice_for_a_cluster_that_grows():
    assert [batches.messages_ahead(threads) for threads in (1, 4, 100)] == [8, 8, 200]


def test_missing_package_is_named_with_its_extra(monkeypatch):
    for name in ("dask", "dask.sizeof", "dask._task_spec", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in [*sys.modules]:
        if name == "interp_pool.dask" or (name.startswith("interp_pool._dask.") and "calls" not in name):
            package, _, own_name = name.rpartition(".")
            monkeypatch.delattr(sys.modules[package], own_name)  # or `from package import name` finds it there
            monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r"pip install 'interp-pool\[dask\]'"):
        import interp_pool.dask  # noqa: F401
