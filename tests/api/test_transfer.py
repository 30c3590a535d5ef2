"""The transfer rules: what is copied, what is shared, and how often."""

from __future__ import annotations

import array
import gc
import pickle
import threading

import pytest
import tasks
import transfer_tasks

from interp_api import decode, encode, encode_call
from interp_api._pickling.codec import LARGE, is_plain
from interp_api._runtime.cpython import VIEWS_ARE_RELEASED

SIZES = [10, LARGE - 1, LARGE, 3 * LARGE + 7]


@pytest.mark.parametrize(
    "make", [bytes, bytearray, lambda size: "é" * size, lambda size: array.array("d", [0.5]) * size]
)
def test_object_of_any_size_arrives_equal_and_apart(make, interpreter, subtests):
    for size in SIZES:
        with subtests.test(size=size):
            obj = make(size)
            got = interpreter.call(tasks.identity, obj)
            assert got == obj
            assert type(got) is type(obj)


def test_large_bytes_cross_uncopied_where_views_are_released():
    data = b"x" * LARGE
    _, [(chunk, _)], *_ = encode([data], share=True)
    assert (chunk.obj if VIEWS_ARE_RELEASED else chunk) is data


def test_bytearray_is_a_snapshot_of_the_time_it_was_sent():
    data = bytearray(b"a" * LARGE)
    payload = encode([data, data], share=True)
    data[0] = 0
    first, second = decode(payload)
    assert first[0] == ord("a")
    assert first is second


def test_view_among_the_arguments_is_shared_and_writable(interpreter, subtests):
    for wrap in (memoryview, pickle.PickleBuffer):
        with subtests.test(wrap=wrap):
            data = bytearray(3)
            interpreter.call(transfer_tasks.set_first, wrap(memoryview(data)), 7)
            assert data == b"\x07\0\0"


def test_view_deep_in_the_arguments_is_shared():
    data = bytearray(3)
    got = decode(encode({"deep": [(memoryview(data),)]}, share=True))["deep"][0][0]
    got[1] = 9
    assert data == b"\0\x09\0"


def test_view_with_gaps_is_shared(interpreter):
    data = bytearray(6)
    interpreter.call(transfer_tasks.increment_each, memoryview(data)[::2])
    assert data == b"\x01\0\x01\0\x01\0"


def test_readonly_view_stays_readonly():
    assert decode(encode([memoryview(b"abc")], share=True))[0].readonly
    assert not decode(encode([memoryview(bytearray(b"abc"))], share=True))[0].readonly


def test_view_keeps_format_and_shape():
    view = memoryview(array.array("i", range(6))).cast("B").cast("i", (2, 3))
    for share in (True, False):
        [got] = decode(encode([view], share=share))
        assert (got.format, got.shape, got.tolist()) == ("i", (2, 3), view.tolist())


def test_same_view_twice_is_one_view():
    view = memoryview(bytearray(3))
    first, second = decode(encode([view, view], share=True))
    assert first is second


@pytest.mark.parametrize("make", [tasks.make_bytes, transfer_tasks.make_bytearray, transfer_tasks.make_view])
def test_result_does_not_point_into_the_other_interpreter(make, interpreter):
    got = [interpreter.call(make, size) for size in SIZES]
    interpreter.close()
    assert [bytes(each) for each in got] == [b"x" * size for size in SIZES]


@pytest.mark.parametrize("kind", [transfer_tasks.ClassBuffer, transfer_tasks.StateBuffer])
def test_buffer_a_class_hands_out_is_copied(kind, interpreter, subtests):
    for size in (3, LARGE):
        with subtests.test(size=size):
            obj = kind(bytearray(size))
            assert interpreter.call(transfer_tasks.write_class_buffer, obj) == b"x"
            assert obj.data == bytes(size)


def test_readonly_buffer_a_class_hands_out_stays_readonly():
    got = decode(encode(transfer_tasks.ClassBuffer(b"abc" * LARGE), share=True))
    assert bytes(got.data) == b"abc" * LARGE
    assert memoryview(got.data).readonly


def test_class_made_writable_buffer_crosses_in_what_the_runtime_releases():
    """3.13 keeps the exporter of a sent view for ever: there nothing but bytes may carry a copy."""
    _, [(carrier, _)], *_ = encode(transfer_tasks.ClassBuffer(bytearray(LARGE)), share=True)
    assert isinstance(carrier, memoryview if VIEWS_ARE_RELEASED else bytes)


def test_class_whose_metaclass_has_a_reduce_method_goes_by_name():
    assert decode(encode([memoryview(b""), transfer_tasks.OfMeta], share=True))[1] is transfer_tasks.OfMeta


def test_aliases_among_arguments_survive(interpreter):
    shared = [1]
    assert interpreter.call(transfer_tasks.are_same, shared, shared)
    assert interpreter.call(transfer_tasks.are_same, left=shared, right=shared)


def test_pickling_from_within_a_reduce_method_works():
    outer = transfer_tasks.Encodes([1, 2])
    assert decode(decode(encode(outer, share=True))) == [1, 2]


def test_failed_pickling_leaves_the_pickler_usable():
    with pytest.raises(TypeError, match="this one cannot be pickled"):
        encode(["x" * 100, tasks.NoPickle()], share=True)
    assert decode(encode(["y"], share=True)) == ["y"]


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (None, True),
        (1, True),
        (2**31 - 1, True),
        (2**31, False),
        (-(2**63), False),
        ((1, ("a", b"b", 0.5)), True),
        ((1, [2]), False),
        (memoryview(b""), True),
        ([], False),
        (bytearray(), False),
    ],
)
def test_plain_objects_are_those_that_cross_unpickled(obj, expected):
    assert is_plain(obj) is expected


@pytest.mark.parametrize("size", [1, LARGE, 2 * LARGE])
def test_many_large_pieces_are_read_in_order(size):
    obj = [bytes([n]) * size for n in range(5)] + ["é" * size, {"k": bytearray(size)}]
    assert decode(encode(obj, share=True)) == obj


@pytest.mark.parametrize(
    "args", [(), (1,), (None, True, 2.5), (10**30, -1, 1e300), (10**40_000,), (float("inf"), False)]
)
def test_call_with_scalars_arrives_as_it_was(args):
    function, arrived, kwargs = decode(encode_call(max, args, {}))
    assert (function, arrived, kwargs) == (max, args, {})
    assert [*map(type, arrived)] == [*map(type, args)]


class _Sends:
    """In a cycle; what it sends is sent by the garbage collector."""

    def __init__(self, sent):
        self.me, self.sent = self, sent

    def __del__(self):
        self.sent.append(encode_call(abs, (-1,), {}))


def test_finalizer_that_sends_during_the_first_sending_of_a_thread_can():
    sent = []

    def send_first():
        _Sends(sent)
        before = gc.get_threshold()
        gc.set_threshold(1)
        try:
            sent.append(encode_call(abs, (-1,), {}))
        finally:
            gc.set_threshold(*before)

    for _ in range(20):
        thread = threading.Thread(target=send_first)
        thread.start()
        thread.join()
    gc.collect()
    assert len(sent) == 40
    assert all(decode(payload)[:2] == (abs, (-1,)) for payload in sent)
