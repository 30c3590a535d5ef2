"""Routes: which tasks a pool gives to its fallback.

Owns what the user has said, and what was learned of modules that cannot be loaded in a worker. It must not know pools,
futures or how a task gets there.

A pickle names the modules that unpickling it imports, each as one short string. So once a module is known to refuse,
the pickles that need it are known as well: those of its functions, of objects of its classes, of calls in which either
is an argument. A text that happens to be the name of such a module leads elsewhere too, which does no harm. Where no
name in the pickle is to blame, because a function that unpickling calls does the import, the task's function is
remembered.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from interp_pool._wire.messages import Payload

_SHORT_BINUNICODE = 0x8C
_LONGEST_NAME = 255  # bytes: what this opcode can have


class Routes:
    """The routes of one pool. Thread safety: all methods; what is learned is there for calls that begin later."""

    __slots__ = ("_functions", "_marks", "_modules", "_names_of", "_packages", "_patterns", "leads_all")

    def __init__(self, names_of: "Callable[[object], Iterable[str]]", patterns: "Iterable[str]" = ()) -> None:
        """Make routes that nothing was learned of.

        Args:
            names_of: returns "module:function" of whatever a callable would call.
            patterns: "module:function", "module", or "package.*" for a package and all modules in it.
        """
        self._names_of = names_of
        self._patterns = frozenset(patterns)
        self._packages = tuple(each[:-1] for each in self._patterns if each.endswith(".*"))
        self._functions: set[str] = set()  # learned
        self._modules: set[str] = set()  # learned
        self._marks: tuple[bytes, ...] = ()  # of these, as they stand in a pickle
        self.leads_all = False
        """Whether every task goes there."""

    def leads_elsewhere(self, function: object, payload: "Payload") -> bool:
        """Return whether the call of a function goes to the fallback.

        Args:
            function: that was given.
            payload: of the call.
        """
        if self.leads_all:
            return True
        if self._marks:
            pickle = payload if isinstance(payload, bytes) else bytes(payload[0])
            for mark in self._marks:
                if mark in pickle:
                    return True
        if self._patterns or self._functions:
            return any(map(self._has, self._names_of(function)))
        return False

    def learn(self, chain: "Iterable[str]", function: object, payload: "Payload") -> None:
        """Remember what a worker could not load.

        Args:
            chain: of imports that led to the module that refuses, as a Refusal has it.
            function: of the task.
            payload: of its call.
        """
        refused = [each for each in chain if each.replace(".", "").isidentifier()]  # the others are functions
        pickle = payload if isinstance(payload, bytes) else bytes(payload[0])
        to_blame = [name for name in _short_texts(pickle) if any(f"{name}.".startswith(f"{each}.") for each in refused)]
        if to_blame:
            self._modules.update(to_blame)
            self._marks = tuple(map(_mark, self._modules))
        else:
            self._functions.update(self._names_of(function))

    def _has(self, name: str) -> bool:
        module = name.partition(":")[0]
        if name in self._functions or name in self._patterns or module in self._patterns:
            return True
        return f"{module}.".startswith(self._packages) if self._packages else False


def _mark(name: str) -> bytes:
    text = name.encode()
    return bytes((_SHORT_BINUNICODE, len(text))) + text


def _short_texts(pickle: bytes) -> "Iterator[str]":
    """Yield the short texts in a pickle, and perhaps what only looks like one."""
    start = pickle.find(_SHORT_BINUNICODE)
    while 0 <= start < len(pickle) - 1:
        end = start + 2 + pickle[start + 1]
        text = pickle[start + 2 : end]
        if end <= len(pickle) and text.isascii():
            yield text.decode()
        start = pickle.find(_SHORT_BINUNICODE, start + 1)
