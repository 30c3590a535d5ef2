"""Exceptions that keep attributes in slots, for workers."""

from __future__ import annotations


class Slotted(Exception):
    __slots__ = ("code", "unset")

    def __init__(self, text):
        super().__init__(text)
        self.code = None


class Derived(Slotted):
    __slots__ = ("__secret", "more")

    def __init__(self, text):
        super().__init__(text)
        self.__secret = f"secret of {text}"

    @property
    def secret(self):
        return self.__secret


class WithDict(Derived):
    """Has an instance dictionary besides."""


class SlottedOS(OSError):
    __slots__ = ("where",)


class TwoSlots(Exception):
    __slots__ = ("left", "right")

    def __init__(self, left, right):
        super().__init__(f"{left} and {right}")
        self.left, self.right = left, right


class SlottedGroup(ExceptionGroup):
    __slots__ = ("owner",)

    def derive(self, excs):
        return SlottedGroup(self.message, excs)


class OwnState(Exception):
    """Its state methods are not asked by pickle, for exceptions, but its __setstate__ is."""

    __slots__ = ("kept",)

    def __getstate__(self):
        return None, {"kept": self.kept}

    def __setstate__(self, state):
        for part in state if isinstance(state, tuple) else (state,):
            for name, value in (part or {}).items():
                setattr(self, name, value)


class OwnReduce(Exception):
    __slots__ = ("dropped", "kept")

    def __reduce__(self):
        return rebuild, (self.args, self.kept)


class Frozen(Exception):
    __slots__ = ("value",)

    def __setattr__(self, name, value):
        raise AttributeError(f"cannot assign to {name}")


def rebuild(args, kept):
    exc = OwnReduce(*args)
    exc.kept = kept
    return exc


def with_slots(kind, *args, **slots):
    exc = kind(*args)
    for name, value in slots.items():
        object.__setattr__(exc, name, value)
    return exc


def raise_with_slots(kind, args, slots):
    raise with_slots(kind, *args, **slots)


def raise_unpicklable_slot():
    import _thread

    raise with_slots(Slotted, "x", code=_thread.allocate_lock(), unset=5)


def raise_group():
    inner = with_slots(Slotted, "a", code=1), with_slots(WithDict, "b", code=2, more="m", extra="e")
    raise with_slots(SlottedGroup, "both", [inner[0], ExceptionGroup("deep", [inner[1]])], owner="me")


def raise_nested():
    exc = with_slots(WithDict, "outer", code=with_slots(Slotted, "in a slot", code=3))
    exc.also = with_slots(Slotted, "in the dictionary", code=4)
    exc.args = ("outer", with_slots(Slotted, "in args", code=5))
    raise exc
