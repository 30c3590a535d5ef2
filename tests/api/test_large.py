"""Large data: how often each kind is copied, and that what a pickler writes is told apart exactly."""

from __future__ import annotations

import pickle
from _pickle import Pickler

import pytest
import tasks
from hypothesis import given, settings
from hypothesis import strategies as st

from interp_api import decode, encode
from interp_api._pickling import large
from interp_api._pickling.codec import LARGE
from interp_api._pickling.frames import take_data_out
from interp_api._pickling.large import WORTHWHILE, copy_bytearray, copy_bytes
from interp_api._runtime.cpython import VIEWS_ARE_RELEASED

SIZE = WORTHWHILE + 12_345


class Sink(list):
    write = list.append


def written(obj):
    sink = Sink()
    Pickler(sink, 5).dump(obj)
    return sink


@pytest.fixture
def copied(monkeypatch):
    """The sizes of the large copies that are made."""
    sizes: list[int] = []
    fill = large._fill

    def counting(target, data):
        sizes.append(data.nbytes)
        fill(target, data)

    monkeypatch.setattr(large, "_fill", counting)
    return sizes


class Owner:
    """An object with a buffer of its own, as arrays have."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return Owner, (pickle.PickleBuffer(self.data),)


@pytest.mark.parametrize(
    ("make", "share", "by_sender", "by_receiver"),
    [
        (lambda: b"x" * SIZE, True, 0, 1),
        (lambda: [{"deep": b"x" * SIZE}], True, 0, 1),
        (lambda: bytearray(SIZE), True, 1, 1),
        (lambda: memoryview(bytearray(SIZE)), True, 0, 0),
        (lambda: [memoryview(b"x" * SIZE)], True, 0, 0),
        (lambda: pickle.PickleBuffer(bytearray(SIZE)), True, 0, 0),
        (lambda: Owner(bytearray(SIZE)), True, 1, 1),
        (lambda: Owner(b"x" * SIZE), True, 0, 1),
        (lambda: b"x" * SIZE, False, 0, 1),
        (lambda: bytearray(SIZE), False, 1, 1),
    ],
    ids=[
        "bytes",
        "deep",
        "bytearray",
        "view",
        "deep-view",
        "buffer",
        "owner",
        "owner-of-bytes",
        "result",
        "result-bytearray",
    ],
)
def test_large_object_is_copied_as_often_as_the_rules_say(make, share, by_sender, by_receiver, copied):
    payload = encode(make(), share=share)
    assert copied == [SIZE] * by_sender
    copied.clear()
    got = decode(payload)
    if not VIEWS_ARE_RELEASED and copied != [SIZE] * by_receiver:
        by_receiver = 0  # there bytes cross as bytes: the runtime has made the receiver's copy
    assert copied == [SIZE] * by_receiver
    del got, payload


def test_large_object_in_several_places_is_copied_once(copied):
    data = b"x" * SIZE
    first, second = decode(encode((data, [data]), share=True))
    assert first is second[0]
    assert copied in ([SIZE], [])  # see above


@pytest.mark.parametrize("size", [0, 5, WORTHWHILE - 1, WORTHWHILE, SIZE])
def test_copy_is_equal_apart_and_of_its_type(size):
    data = bytes(range(256)) * (size // 256 + 1)
    view = memoryview(data)[:size]
    assert copy_bytes(view) == view
    assert type(copy_bytes(view)) is bytes
    copy = copy_bytearray(view)
    assert copy == view
    assert type(copy) is bytearray
    copy.append(1)  # nobody else holds it


def test_copy_of_other_format_has_its_bytes():
    view = memoryview(bytes(SIZE // 8 * 8)).cast("d")
    assert len(copy_bytes(view)) == view.nbytes == len(copy_bytearray(view))


def test_copy_is_made_where_nothing_can_be_advised(monkeypatch):
    monkeypatch.setattr(large, "_advise", large._ignore)
    assert copy_bytes(bytes(SIZE)) == bytes(SIZE) == copy_bytearray(bytes(SIZE))


def test_large_results_of_a_worker_arrive_whole(interpreter):
    assert interpreter.call(tasks.make_x_bytes, SIZE) == b"x" * SIZE


def header(opcode: bytes, width: int, size: int) -> bytes:
    return opcode + size.to_bytes(width, "little")


unhurried = settings(deadline=None)  # a busy machine takes longer
SIZES = st.sampled_from([0, 1, 3, LARGE - 1, LARGE, LARGE + 5, 3 * LARGE])
# Contents that end like the header of what may follow them.
ENDS = st.sampled_from(
    [b"", b"."]
    + [header(*each, size) for each in [(b"B", 4), (b"\x8e", 8), (b"\x96", 8), (b"X", 4)] for size in (LARGE, 65545)]
)
BYTES = st.builds(lambda size, end: b"a" * size + end, SIZES, ENDS)
LEAVES = st.one_of(
    BYTES,
    BYTES.map(bytearray),
    SIZES.map(lambda size: "t" * size),
    SIZES.map(lambda size: "\ud800" * (size // 3)),
    st.integers(),
    st.integers(1, 40_000).map(lambda length: [7] * length),
)
OBJECTS = st.recursive(LEAVES, lambda parts: st.lists(parts, max_size=5), max_leaves=8)


@unhurried
@given(OBJECTS)
def test_data_are_told_from_opcodes_whatever_they_are(obj):
    blocks = written(obj)
    taken, data = take_data_out(blocks)
    assert all(len(each) >= LARGE for _, each in data)
    assert all(blocks[number] is each for number, each in data)
    assert pickle.loads(taken, buffers=[each for _, each in data]) == obj


@unhurried
@given(OBJECTS)
def test_any_object_arrives_equal(obj):
    assert decode(encode(obj, share=True)) == obj


@unhurried
@given(
    st.lists(
        st.one_of(BYTES, SIZES.map(bytearray).map(pickle.PickleBuffer), SIZES.map(bytes).map(memoryview)), max_size=8
    )
)
def test_data_and_buffers_keep_their_order(parts):
    got = decode(encode(parts, share=True))
    assert [bytes(each) for each in got] == [bytes(memoryview(each)) for each in parts]
