"""Options that are declared once: everything else about them follows.

Owns how a class of options becomes the parameters of a function, their documentation and their checks. It must not know
any option.

    class Limits(Declared):
        most: int | None = option(default=None, check=unless_none(check_count), doc="most things; None means no limit.")

    class Store:
        @takes(Limits)
        def __init__(self, limits: Limits) -> None: ...

`Store(most=3)` works, and is all that does: for the program, for `inspect.signature` and `help`, and for type checkers,
which see a dataclass in `Limits` and its parameters in `takes(Limits)`. A real function with these parameters is made,
as for a dataclass, so a wrong call gets Python's own error.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Concatenate, Self, dataclass_transform
else:

    def dataclass_transform(**_: object) -> "Callable[[type], type]":
        """Stand in for that of typing, which costs a worker that loads the program's main module 2.5 ms."""
        return lambda cls: cls


_WIDTH = 100  # of a line in a docstring


class Option:
    """A declared option."""

    __slots__ = ("annotation", "check", "default", "doc", "is_positional")

    def __init__(
        self, default: object, check: "Callable[[str, Any], object] | None", doc: str, is_positional: bool
    ) -> None:
        self.default, self.check, self.doc, self.is_positional = default, check, doc, is_positional
        self.annotation: object = None


def option[T](*, default: T, check: "Callable[[str, Any], object] | None" = None, doc: str, kw_only: bool = True) -> T:
    """Declare an option in the body of a subclass of Declared.

    Args:
        default: what it is when it is not given; not checked.
        check: called with its name and what was given; returns what is kept, or raises TypeError or ValueError.
        doc: what it means, for docstrings. Its lines are broken anew.
        kw_only: whether it must be named in a call.
    """
    declared: Any = Option(default, check, doc, not kw_only)
    return declared  # type: ignore[no-any-return]  # until the class is made; then its instances have a T there


def unless_none(check: "Callable[[str, Any], object]") -> "Callable[[str, Any], object]":
    """Return a check that lets None pass."""
    return lambda name, value: None if value is None else check(name, value)


@dataclass_transform(kw_only_default=True, field_specifiers=(option,))
class Declared:
    """What was given for some options, checked, or their defaults. Subclasses declare them."""

    declared: "ClassVar[dict[str, Option]]" = {}  # noqa: RUF012  # it says so, in a text

    def __init_subclass__(cls) -> None:
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Option)}
        for name, each in own.items():
            each.annotation = cls.__annotations__[name]
            setattr(cls, name, each.default)
        cls.declared = {**cls.declared, **own}

    def __init__(self, **given: object) -> None:
        """Check what was given.

        Raises:
            TypeError: there is no such option, or it has the wrong type.
            ValueError: it is out of range.
        """
        for name in given:
            if name not in self.declared:
                raise TypeError(f"there is no option {name!r}; there are {', '.join(self.declared)}")
        self.__dict__.update(given)
        self.complete()

    def complete(self) -> None:
        """Check what was given. For subclasses to add what follows from it.

        Raises:
            TypeError: an option has the wrong type.
            ValueError: it is out of range.
        """
        for name, each in self.declared.items():
            value = getattr(self, name)
            if each.check is not None and value is not each.default:
                self.__dict__[name] = each.check(name, value)

    def given(self) -> "dict[str, Any]":
        """Return the options that are not what they are by default."""
        values = [(name, getattr(self, name), each.default) for name, each in self.declared.items()]
        # 1 is True, and is to be checked all the same.
        return {name: value for name, value, default in values if type(value) is not type(default) or value != default}

    def replace(self, changes: "dict[str, Any]") -> "Self":
        """Return options with some of them changed.

        Raises:
            TypeError: there is no such option, or it has the wrong type.
            ValueError: a number is out of range.
        """
        return type(self)(**{**self.given(), **changes})

    def __repr__(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.given().items())


def takes[S, **P, D](
    options: "Callable[P, D]",
) -> "Callable[[Callable[[S, D], None]], Callable[Concatenate[S, P], None]]":
    """Give a method the parameters of a class of options; it is called with an instance.

    Args:
        options: a subclass of Declared.
    """
    made: Any = options

    def decorate(method: "Callable[[S, D], None]") -> "Any":
        return _with_parameters(method, made, lambda self, values: method(self, made(**values)))

    return decorate


def keywords[S, **P, R](
    options: "Callable[P, object]",
) -> "Callable[[Callable[..., R]], Callable[Concatenate[S, P], R]]":
    """Have type checkers see the parameters of a class of options in a method that takes any keywords."""
    made: Any = options

    def decorate(method: "Callable[..., R]") -> "Any":
        _describe(method, made)
        return method

    return decorate


def _with_parameters(method: "Any", options: type[Declared], body: "Callable[[Any, dict[str, object]], None]") -> "Any":
    declared = options.declared
    parameters = {name: f"{name}=_{name}" for name in declared}
    positional = [parameters[name] for name, each in declared.items() if each.is_positional]
    named = [parameters[name] for name, each in declared.items() if not each.is_positional]
    values = ", ".join(f"{name!r}: {name}" for name in declared)
    namespace: dict[str, Any] = {"_body": body, **{f"_{name}": each.default for name, each in declared.items()}}
    exec(f"def made({', '.join(['self', *positional, '*', *named])}): _body(self, {{{values}}})", namespace)
    made = namespace["made"]
    for what in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(made, what, getattr(method, what))
    made.__annotations__ = {**{name: each.annotation for name, each in declared.items()}, "return": None}
    _describe(made, options)
    return made


def _describe(method: "Any", options: type[Declared]) -> None:
    """Put what the options mean in the place of "{options}" in a docstring."""
    if method.__doc__ is not None:  # python -OO
        lines = [line for name, each in options.declared.items() for line in _wrapped(f"{name}: {each.doc}")]
        method.__doc__ = method.__doc__.replace("{options}", "\n    ".join(["Args:", *lines]))


def _wrapped(text: str) -> list[str]:
    """Break a text into lines; `textwrap` would take longer to import."""
    lines: list[str] = []
    for word in text.split():
        if not lines or len(lines[-1]) + len(word) > _WIDTH:
            lines.append(f"    {word}" if lines else word)
        else:
            lines[-1] += f" {word}"
    return lines
