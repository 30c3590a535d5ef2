"""What programs commonly change in modules of the standard library, and what it is set back to; runs INSIDE a worker.

Owns which attributes and registers these are. It is loaded by `_worker.reset` alone. Modules are taken from
`sys.modules`: what is not loaded was not changed.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._worker.baseline import Baseline

# (module, attribute, the attribute of the same module that has the original, or what the value was)
_ORIGINALS: "tuple[tuple[str, str, str], ...]" = (
    ("threading", "excepthook", "__excepthook__"),
    ("warnings", "showwarning", "_showwarning_orig"),
    ("warnings", "formatwarning", "_formatwarning_orig"),
    ("ssl", "_create_default_https_context", "create_default_context"),
)
_VALUES: "tuple[tuple[str, str, object], ...]" = (
    ("warnings", "defaultaction", "default"),
    ("urllib.request", "_opener", None),
    ("asyncio.events", "_event_loop_policy", None),
    ("tempfile", "tempdir", None),
)


def is_of_stdlib(name: str) -> bool:
    """Return whether a module is the standard library's."""
    return name.partition(".")[0] in sys.stdlib_module_names


def loaded(name: str) -> "Any":
    """Return a module that is loaded; None if it is not."""
    return sys.modules.get(name)


def reset_stdlib(baseline: "Baseline") -> None:
    """Set back what programs commonly change in modules of the standard library that are loaded."""
    import codecs

    for search in baseline.codec_searches:
        codecs.unregister(search)
    baseline.codec_searches.clear()
    unregister: Any = getattr(baseline.modules["_codecs"], "_unregister_error", None)  # CPython 3.14
    for name in baseline.codec_errors.difference(baseline.error_handlers):
        unregister(name)
    for name, handler in baseline.error_handlers.items():
        codecs.register_error(name, handler)
    baseline.codec_errors.clear()
    for module_name, attribute, original in _ORIGINALS:
        if (module := loaded(module_name)) is not None and hasattr(module, original):
            setattr(module, attribute, getattr(module, original))
    for module_name, attribute, value in _VALUES:
        if (module := loaded(module_name)) is not None and hasattr(module, attribute):
            setattr(module, attribute, value)
    for module_name, step in _STEPS:
        if (module := loaded(module_name)) is not None:
            step(module)


def forget_types(typing: "Any") -> None:
    """Empty the caches of `typing`: they keep the types, and so the modules, of whoever has written an annotation."""
    for clear in typing._cleanups:
        clear()


def forget_loggers(logging: "Any") -> None:
    """Forget the loggers of modules that are not the standard library's."""
    for name in [name for name in logging.root.manager.loggerDict if not is_of_stdlib(name)]:
        del logging.root.manager.loggerDict[name]


def _reset_csv(csv: "Any") -> None:
    csv.field_size_limit(128 * 1024)
    for name in csv.list_dialects():
        if name not in ("excel", "excel-tab", "unix"):
            csv.unregister_dialect(name)


def _reset_mimetypes(mimetypes: "Any") -> None:
    mimetypes._default_mime_types()
    mimetypes.inited, mimetypes._db = False, None


def _reset_namespaces(element_tree: "Any") -> None:
    """Forget the XML namespaces that were registered."""
    known = ("xml", "html", "rdf", "wsdl", "xs", "xsi", "dc")
    for uri, prefix in [*element_tree._namespace_map.items()]:
        if prefix not in known:
            del element_tree._namespace_map[uri]


def _reset_decimal(decimal: "Any") -> None:
    usual = (decimal.DivisionByZero, decimal.Overflow, decimal.InvalidOperation)
    for context, digits, rounding, traps in (
        (decimal.DefaultContext, 28, decimal.ROUND_HALF_EVEN, usual),
        (decimal.BasicContext, 9, decimal.ROUND_HALF_UP, (*usual, decimal.Clamped, decimal.Underflow)),
        (decimal.ExtendedContext, 9, decimal.ROUND_HALF_EVEN, ()),
    ):
        context.prec, context.rounding = digits, rounding
        context.Emin, context.Emax, context.capitals, context.clamp = -999999, 999999, 1, 0
        context.clear_flags()
        context.clear_traps()
        for trap in traps:
            context.traps[trap] = True


def _reset_logging(logging: "Any") -> None:
    """Close all handlers, and make every logger what it is when it is new: its module may hold it."""
    logging.shutdown()
    manager = logging.root.manager
    for logger in manager.loggerDict.values():
        if not isinstance(logger, logging.PlaceHolder):
            _renew(logger, logging.NOTSET)
    _renew(logging.root, logging.WARNING)
    manager.loggerClass = manager.logRecordFactory = None
    manager.emittedNoHandlerWarning = False
    manager.disable = logging.NOTSET
    manager._clear_cache()
    logging.captureWarnings(False)
    logging.setLoggerClass(logging.Logger)
    logging.setLogRecordFactory(logging.LogRecord)
    logging.raiseExceptions, logging.lastResort = True, logging._defaultLastResort
    for number in [number for number in logging._levelToName if number not in _LEVELS]:
        del logging._levelToName[number]
    for number, name in _LEVELS.items():
        logging.addLevelName(number, name)


_LEVELS = {50: "CRITICAL", 40: "ERROR", 30: "WARNING", 20: "INFO", 10: "DEBUG", 0: "NOTSET"}


def _renew(logger: "Any", level: int) -> None:
    logger.handlers.clear()
    logger.filters.clear()
    logger.setLevel(level)
    logger.propagate, logger.disabled = True, False


def _reset_threading(threading: "Any") -> None:
    threading.settrace(None)
    threading.setprofile(None)
    threading.stack_size(0)


_STEPS: "tuple[tuple[str, Callable[[Any], object]], ...]" = (
    ("csv", _reset_csv),
    ("decimal", _reset_decimal),
    ("linecache", lambda linecache: linecache.clearcache()),
    ("logging", _reset_logging),
    ("mimetypes", _reset_mimetypes),
    # New numbers for each executor, and for each worker of it: two that draw the same would be wrong silently.
    ("random", lambda random: random.seed()),
    ("socket", lambda socket: socket.setdefaulttimeout(None)),
    ("threading", _reset_threading),
    ("warnings", lambda warnings: warnings.onceregistry.clear()),
    ("xml.etree.ElementTree", _reset_namespaces),
)
