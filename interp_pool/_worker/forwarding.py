"""What records of tasks become: messages for the program's loggers. Runs INSIDE a worker that has imported logging.

Owns the place where records are taken: a logger beyond the root, where everything that propagates arrives after all
handlers of this interpreter. The root has no handler of ours, so `logging.basicConfig` of a task works, unless it asks
for nothing in particular: so do `logging.info` and its like, of a root without handlers. A record that a handler of the
interpreter's own has taken is that one's, and not told twice. One that does not propagate, and that nobody has, is
taken as `logging.lastResort`.

What is told is a marshalled pair: the attributes of the record, and payloads of those that are no scalars.
"""

import logging
import sys
from marshal import dumps

from interp_api import encode
from interp_pool._wire.messages import LOG
from interp_pool._wire.texts import brief
from interp_pool._worker.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    type Told = dict[str, Any]

_MAINS = "__main__", "__mp_main__"
_SCALARS = frozenset((type(None), bool, int, float, str, bytes))

_formatter = logging.Formatter()
_known: set[str] = set()  # the loggers whose levels are the program's
_beyond = logging.Logger("the program")  # noqa: LOG001  # one that nobody finds by its name
_configure, _last_resort, _get_message = logging.basicConfig, logging.lastResort, logging.LogRecord.getMessage


class _Forwarding(logging.Handler):
    """Tells the pool of records."""

    def createLock(self) -> None:  # noqa: N802  # as its base
        """It needs none."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Tell the pool, unless a handler of this interpreter has the record."""
        if _is_taken(record):
            return False
        try:
            if not tell(LOG, message_of(record)) and _last_resort is not None:
                _last_resort.handle(record)  # outside of tasks, in a child process
        except Exception:
            self.handleError(record)
        return True


def begin(disabled: int, _captures: bool, loggers: "list[tuple[str, int, bool]]") -> None:
    """Forward records from now on, or go on with other levels."""
    if not _beyond.handlers:
        _beyond.addHandler(forwarding := _Forwarding())
        logging.lastResort = forwarding
    logging.root.parent = _beyond
    logging.basicConfig = _basic_config
    names = {name for name, *_ in loggers}
    for name in _known - names:
        _set(name, logging.NOTSET, is_disabled=False)
    for name, level, is_disabled in loggers:
        _set(name, level, is_disabled=is_disabled)
    _known.clear()
    _known.update(names)
    logging.disable(disabled)  # which has all loggers forget what they have cached: last, and once


def _set(name: str, level: int, *, is_disabled: bool) -> None:
    """Set what a logger is to let pass. Not with `setLevel`: each has all loggers forget what they have cached."""
    logger = logging.getLogger(name)
    logger.level, logger.disabled = level, is_disabled


def end() -> None:
    """Forward nothing any more; levels are set back with the rest of logging."""
    logging.root.parent = None
    if logging.basicConfig is _basic_config:
        logging.basicConfig = _configure
    if isinstance(logging.lastResort, _Forwarding):
        logging.lastResort = _last_resort
    _beyond.handlers.clear()
    _known.clear()


def _basic_config(**kwargs: "Any") -> None:
    """Do what `logging.basicConfig` does, but nothing where that is done: the program has configured what there is.

    That is without arguments, and in the body of its main module, which runs here as well.
    """
    caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # as logging does
    is_main = caller.f_code.co_name == "<module>" and caller.f_globals.get("__name__") in _MAINS
    if kwargs and not is_main:
        _configure(**kwargs)


def _is_taken(record: logging.LogRecord) -> bool:
    """Return whether a handler of this interpreter's own has the record."""
    root, level = logging.root, record.levelno
    logger: Any = root.manager.loggerDict.get(record.name)
    if not isinstance(logger, logging.Logger):
        logger = root
    while logger is not None and logger is not _beyond:
        for handler in logger.handlers:
            if level >= handler.level and not isinstance(handler, logging.NullHandler):
                return True
        logger = logger.parent if logger.propagate else None
    return False


def message_of(record: logging.LogRecord) -> bytes:
    """Return what is told of a record, which stays as it is.

    Raises:
        Exception: its message could not be formatted.
    """
    told: Told = {**record.__dict__}
    text, args = record.getMessage(), record.args  # whoever cannot format it is told where it was logged
    is_plain = type(record.msg) is str and type(record).getMessage is _get_message
    if not is_plain or (args and not (type(args) is tuple and _SCALARS.issuperset(map(type, args)))):
        told["msg"], told["args"] = text, None
    if record.exc_info:
        told["exc_text"] = record.exc_text or _formatter.formatException(record.exc_info)
    told["exc_info"] = None
    told["name"], told["levelno"] = _plain(record.name), _plain(record.levelno)
    others = [name for name, value in told.items() if type(value) not in _SCALARS and name != "args"]
    return dumps((told, {name: payload for name in others if (payload := _payload_or_text(told, name)) is not None}))


def _plain(value: "Any") -> "Any":
    """Return a name or a level, which may be a member of an enum, as what it is to marshal and to loggers."""
    return str.__str__(value) if isinstance(value, str) else int(value) if isinstance(value, int) else value


def _payload_or_text(told: "Told", name: str) -> bytes | None:
    """Take out an attribute that is no scalar; return its payload, or leave its repr in its place."""
    value = told.pop(name)
    try:
        payload = encode(value, share=False)
    except Exception:
        payload = None
    if type(payload) is bytes:
        return payload
    try:
        told[name] = repr(value)
    except Exception as exc:
        told[name] = f"<{type(value).__qualname__} whose repr() failed: {brief(exc)}>"
    return None
