"""Objects that share memory or pickle themselves, and functions that look at what arrived of them."""

from __future__ import annotations

from tasks import fill, identity


def are_same(left, right):
    return left is right


def make_y_bytearray(size):
    return bytearray(b"y" * size)


def make_picklebuffer(size):
    import pickle

    return pickle.PickleBuffer(bytearray(b"z" * size))


def fill_nested(obj, value):
    fill(obj["views"][0], value)


def change(array):
    array[0] = 99
    return array


def increment_each(view):
    for index in range(len(view)):
        view[index] += 1


def set_first(buffer, value):
    buffer[0] = value
    return bytes(buffer[:1])


def make_bytearray(size):
    return bytearray(b"x" * size)


def make_view(size):
    return memoryview(bytearray(b"x" * size))


class ClassBuffer:
    """Hands its own memory to the pickler, as numpy's arrays do."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        import pickle

        return type(self), (pickle.PickleBuffer(self.data),)


class StateBuffer(ClassBuffer):
    """The same in its state."""

    def __reduce_ex__(self, protocol):
        import pickle

        return type(self), (None,), {"data": pickle.PickleBuffer(self.data)}


class MetaWithReduce(type):
    """Its classes are pickled by name whatever it says."""

    def __reduce_ex__(cls, protocol):
        raise AssertionError("not asked for classes")


class OfMeta(metaclass=MetaWithReduce):
    """An ordinary class otherwise."""


def write_class_buffer(buffer):
    buffer.data[0] = 120
    return bytes(buffer.data[:1])


def view_sum(view):
    return sum(view)


class Encodes:
    """Sends something itself while it is pickled."""

    def __init__(self, obj):
        self.obj = obj

    def __reduce__(self):
        from interp_api import encode

        return identity, (encode(self.obj, share=False),)
