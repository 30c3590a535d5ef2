"""cloudpickle, which sends functions and classes by value: its pickler, and texts that name it as the remedy.

It is an extra. Nothing imports it before an object needs it, neither here nor in a worker.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_api._runtime.light_imports import Pickler

BY_VALUE = "install cloudpickle to send it by value"


def cloud_pickler() -> "type[Pickler] | None":
    """Return cloudpickle's pickler, imported; None if it is not installed."""
    try:
        from cloudpickle import Pickler as CloudPickler  # type: ignore[import-not-found]  # an extra, without types
    except ImportError:
        return None
    return CloudPickler  # type: ignore[no-any-return]  # the package has no types


def advise(text: str, remedy: str) -> str:
    """Return the text of an error with a remedy, and with cloudpickle as another if it is not installed."""
    return f"{text}; {remedy}" if cloud_pickler() is not None else f"{text}; {remedy}, or {BY_VALUE}"
