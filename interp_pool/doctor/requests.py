"""What the doctor and its child process tell each other: shapes that JSON knows, and nothing else."""

from typing import NotRequired, TypedDict

__all__ = ["Answer", "Error", "Findings", "Measured", "Noted", "Request"]


class Request(TypedDict):
    """What a child is to do.

    Attributes:
        path: folders that come first in `sys.path`.
        roots: modules with the names that are wanted of each.
        script: path of a script to load, or "".
        function: to be measured, or "".
        inner: modules that are in the roots, to import if these can be.
        extensions: modules to import if the roots can be, each with modules that seem to import it.
        bodies: key, module and names of each import in the body of a function.
        log: path of a file for lines.
        only_main: whether to import in the main interpreter alone.
    """

    path: list[str]
    roots: list[tuple[str, list[str]]]
    script: str
    function: str
    inner: list[str]
    extensions: list[tuple[str, list[str]]]
    bodies: list[tuple[str, str, list[str]]]
    log: str
    only_main: bool


class Error(TypedDict):
    """What an import or a call has raised; `module` and `chain` if it comes from a refusal."""

    type: str
    text: str
    module: str
    chain: list[str]
    is_refusal: bool


class Noted(TypedDict):
    """A refusal that a worker has noted, and the module that goes on without, or ""."""

    module: str
    chain: list[str]
    user: str


class Findings(TypedDict):
    """What imports have led to in one interpreter: errors, by what was imported, and the refusals that were noted.

    And the extension modules that are loaded, and the files of the other modules, without the standard library's.
    """

    roots: dict[str, Error]
    inner: dict[str, Error]
    extensions: dict[str, Error]
    bodies: dict[str, Error]
    noted: list[Noted]
    noted_in_bodies: dict[str, list[Noted]]
    loaded: list[str]
    files: dict[str, str]


class Measured(TypedDict):
    """What calling a function has led to in one interpreter."""

    seconds: NotRequired[float]
    why_not: NotRequired[str]
    missing: NotRequired[bool]
    error: NotRequired[Error]
    noted: NotRequired[list[Noted]]


class Answer(TypedDict, total=False):
    """What a child says; what it had not come to when it ended is missing."""

    first: Findings
    main: Findings
    second: Findings
    measured_inside: Measured
    measured_in_main: Measured
    done: bool
