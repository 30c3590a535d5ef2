"""What is sent to an interpreter for a task of dask: its function and arguments, with the values filled in.

Owns the way from a run spec and the results it needs to calls that need no dask. Only a kind of node that is not known
here goes as it is, and has the interpreter import dask.
"""

from graphlib import TopologicalSorter

from interp_pool._dask import host
from interp_pool._dask.calls import (
    Opening,
    Packed,
    Slot,
    collect,
    pairs,
    run_packed,
    run_packed_batch,
    run_steps,
    shape_of_call,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from interp_pool._dask.calls import Step

    type Values = Mapping[Any, Any]  # by key; a value may be a Slot

_PACKED = (run_packed, run_packed_batch)


class Ready:
    """The result itself, of a task that only puts values together."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class _Unknown(Exception):
    """There is a kind of node in it that is not known."""


def what_to_send(spec: "Any", data: "Values") -> "Ready | Step":
    """Return (function, args, kwargs), or the result if there is nothing to call.

    Args:
        spec: the run spec, a graph node.
        data: the results it needs, by key.

    Raises:
        Exception: what a container raises, such as a set of lists.
    """
    steps = _Steps()
    try:
        value = steps.value_of(spec, data)
    except _Unknown:
        return spec, (dict(data),), {}
    if type(value) is not Slot:
        return Ready(value)
    if len(steps.steps) > 1:
        steps.note_last_uses(but=value.index)
        return run_steps, (steps.steps, value.index), {}
    function, args, kwargs = steps.steps[0]
    if function in _PACKED:
        return function, tuple(Opening(arg.data, arg.shape) if type(arg) is Packed else arg for arg in args), kwargs
    return function, args, kwargs


class Named:
    """What is known of a function that is still packed: its module and name, for routes and messages."""

    def __init__(self, name: str) -> None:
        self.__module__, _, self.__qualname__ = name.partition(":")


def function_of(spec: "Any", step: "Step") -> "Any":
    """Return the function that a task is named by: its own, or that of its last step.

    Args:
        spec: the run spec.
        step: what is sent for it.
    """
    function, args, _ = step
    if function in _PACKED and isinstance(args[0], Packed) and args[0].shape:
        return Named(args[0].shape[0])
    if isinstance(spec, host.Task):
        if spec.func == host.execute_subgraph and spec.args[1] in spec.args[0]:
            return function_of(spec.args[0][spec.args[1]], step)
        return spec.func
    return spec.__class__


def shape_of(function: "Any", step: "Step") -> tuple[str, ...]:
    """Return what calls have in common that probably need the same modules: function, and types of the arguments.

    As texts: whoever remembers it must keep no class alive.

    Args:
        function: that the task is named by.
        step: what is sent for it.
    """
    _, args, kwargs = step
    if isinstance(function, Named):
        return args[0].shape  # type: ignore[no-any-return]  # it is packed
    return shape_of_call(function, (*args, *kwargs.values()))


class _Steps:
    """The steps of one task."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._uses: dict[int, Slot] = {}

    def value_of(self, node: "Any", known: "Values") -> "Any":
        """Return the value of a node, or the slot in which it will be."""
        if isinstance(node, host.TaskRef):
            return self._used(known[node.key])
        if not isinstance(node, host.GraphNode):
            return node
        if type(node) is host.Alias:
            return self._used(known[node.target])
        if type(node) is host.DataNode:
            return node.value
        if isinstance(node, host.NestedContainer):
            return self._container(node, known)
        if type(node) is not host.Task:
            raise _Unknown
        if node.func == host.execute_subgraph:
            return self._subgraph(node, known)
        args = tuple(self.value_of(arg, known) for arg in node.args)
        if node.func is host.identity_cast:
            return self._collected(node.kwargs["typ"], args)
        return self._step(node.func, args, {name: self.value_of(arg, known) for name, arg in node.kwargs.items()})

    def note_last_uses(self, but: int) -> None:
        """Mark of each slot where it is used last, but for the one that has the result of all."""
        for slot in self._uses.values():
            slot.is_last = slot.index != but

    def _used(self, value: "Any") -> "Any":
        return Slot(value.index) if type(value) is Slot else value  # of its own: it may be the last use

    def _step(self, function: "Callable[..., Any]", args: "tuple[Any, ...]", kwargs: "dict[str, Any]") -> Slot:
        for arg in (*args, *kwargs.values()):
            if type(arg) is Slot:
                self._uses[arg.index] = arg
        self.steps.append((function, args, kwargs))
        return Slot(len(self.steps) - 1)

    def _container(self, node: "Any", known: "Values") -> "Any":
        items = tuple(self.value_of(arg, known) for arg in node.args)
        if node.klass is not dict:
            return self._collected(node.constructor, items)
        return self._step(pairs, items, {}) if _has_slot(items) else node.constructor(items)

    def _collected(self, make: "Callable[[Any], Any]", items: "tuple[Any, ...]") -> "Any":
        return self._step(collect, (make, *items), {}) if _has_slot(items) else make(items)

    def _subgraph(self, node: "Any", known: "Values") -> "Any":
        nodes, out, inner_keys, *given = node.args
        inside = {key: self.value_of(value, known) for key, value in zip(inner_keys, given, strict=True)}
        order = TopologicalSorter({key: each.dependencies & nodes.keys() for key, each in nodes.items()})
        for key in order.static_order():
            inside[key] = self.value_of(nodes[key], inside)
        return self._used(inside[out])


def _has_slot(items: "tuple[Any, ...]") -> bool:
    return any(type(item) is Slot for item in items)
