"""Texts of errors that several places tell, and how names and other errors are written in texts.

An exception is quoted by its first line that is not empty, bounded; the whole text, and what it comes from, is in the
cause.
"""

IN_OWNER = (
    "leave it out of what is sent, with a __getstate__() of its owner, or send a function instead of a method; a task "
    "gets the executor it runs in from interp_pool.current_executor()"
)
_LONGEST = 500  # characters of another error's text within one of ours


def stays_here(obj: object, instead: str) -> TypeError:
    """Return why an executor, a pool or a future cannot be pickled, and what to do: often its owner is sent."""
    return TypeError(f"cannot pickle {type(obj).__name__!r} object, which stays in its interpreter: {instead}")


def describe(cause: "BaseException | str") -> str:
    """Return an exception as `Type: text`: the text alone can be empty, or a number."""
    if isinstance(cause, str):
        return cause
    text = _first_line(cause)
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__


def brief(exc: BaseException) -> str:
    """Return an exception's text for use within that of another; with the type where it says nothing alone."""
    text = _first_line(exc)
    return describe(exc) if not text or isinstance(exc, LookupError | StopIteration) else text


def one_line(text: str) -> str:
    """Return a text with what moves a terminal's cursor, or tells it something, written as in a literal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def encodable(text: str) -> str:
    """Return a text with what UTF-8 has no bytes for, such as a part of a file's name, written as in a literal."""
    return text.encode("utf-8", "backslashreplace").decode()


def _first_line(exc: BaseException) -> str:
    """Return the first line of a text that is not empty, bounded; the others are in the cause."""
    try:
        lines = (line.strip() for line in str(exc).splitlines())
        text = next((line for line in lines if line), "")
    except BaseException:
        return ""  # it cannot be made
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
