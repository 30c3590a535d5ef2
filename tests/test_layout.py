"""The house: where each file stands, what it may import, how long it is, and that the installed packages are tested."""

from __future__ import annotations

import ast
import sysconfig
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import interp_api
import interp_pool

# The rooms of each package, from the ground up, and the files of each room likewise: a file imports only from what
# stands before it. A new file takes its place here first.
HOUSE = {
    "interp_api": {
        "_runtime": "light_imports locks cpython_313 cpython_314 cpython",
        "_wakeup": (
            "channel arena slot doorbell seats parking place spinning boxes simple_queue pool_queue fork "
            "interpreter_mutex loops awaiting"
        ),
        "_errors": "",
        "_pickling": (
            "again cloud main_code main_note main_module main_names main_globals large buffers functions cached "
            "fallback_pickler function_head frames descriptors inheritance codec enclosed"
        ),
        "_queues": "shared_counter unbound readable items store awaiting queue",
        "_interpreters": "alive entry_lock tracing making guards importing remote entering interpreter",
        "__init__": "",
    },
    "interp_pool": {
        "_errors": "",
        "_wire": (
            "interrupted texts messages answer places names known_packages refused no_input failures hints decoding"
        ),
        "_process": (
            "thread_state ctrl_c watched locks background memory exit_status stuck hooks aside timer open_tasks "
            "notebook writing profiles"
        ),
        "_worker": (
            "unbundle batch traced struck_import load_lock measured baseline standard_library reset parent "
            "resource_tracker child_process fork_server plain_threads signals surroundings program_modules main_ahead "
            "telling reporting running carried forwarding logs output shown profiling debugging control_thread loop "
            "hosted importing joblib_calls fault_handler no_tracing whole_program"
        ),
        "_options": "checks variables declared pool_options task_options",
        "_futures": "progress ports stopping undecoded unread condition claims lazy task_future batch_future",
        "_core": (
            "histogram states ports lease routes batch_sizes nesting relief backlog task told task_book nested_book "
            "worker_book core statistics"
        ),
        "_seeing": (
            "levels logs output reports bars filters carrying trace_events trace_file trace shapes runtime_directory "
            "connections server stacks questions monitor"
        ),
        "_workers": (
            "bundle reserve environment interpreters warm_up answering handle thread_host process_host hosted_worker"
        ),
        "_pool": (
            "result_stream outcomes process_hooks calls pool_trace routing kernel hearing traced pump metering lodging "
            "recall overdue control looking ending relieving waits sizing starting renewal intake nesting in_callback "
            "manager forking leases single tracing pool"
        ),
        "_awaiting": "bell on_asyncio on_trio library map_waiter awaited_reports",
        "_executor": (
            "listed results wrapping taking returning map_run chunks map_by_submit followed arguments refusals "
            "with_options making awaited_run awaited_map view ends executor scipy_map tracked"
        ),
        "_nested": "children futures listening exchange stack nest face",
        "_multiprocessing": "results lost sending pool",
        "_swap": "ledger process_face patching",
        "joblib": "",
        "_dask": (
            "calls batches cluster_options host run_spec answers task_executor plugin losses cluster cluster_map "
            "cluster_executor"
        ),
        "dask": "",
        "__init__": "",
        "metrics": "",
        "trio": "",
        "_commands.*": "",  # in any order among themselves
        "demo.*": "",  # in any order among themselves
        "bench.*": "",  # in any order among themselves
        "doctor.*": "",  # in any order among themselves
        "run.*": "",  # in any order among themselves
        "report_page.*": "",  # in any order among themselves
        "top.*": "",  # in any order among themselves
        "__main__": "",
    },
}
ORDER = {
    package: [
        name for room, files in rooms.items() for name in ([f"{room}.{file}" for file in files.split()] or [room])
    ]
    for package, rooms in HOUSE.items()
}
LONGEST, LONGEST_TEST = 400, 500  # lines
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
CHECKOUT = Path(__file__).parents[1]
FILES = sorted(file for package in ORDER for file in (CHECKOUT / package).rglob("*.py"))
TESTS = sorted((CHECKOUT / "tests").rglob("*.py"))


def _rank(package: str, module: str) -> int | None:
    for rank, pattern in enumerate(ORDER[package]):
        if fnmatch(module, pattern):
            return rank
    return None


def _module(file: Path) -> tuple[str, str]:
    """Split interp_pool/demo/cli.py into its package, interp_pool, and its name in ORDER, demo.cli."""
    package, *rest = file.relative_to(CHECKOUT).with_suffix("").parts
    return package, ".".join(rest)


class _Imports(ast.NodeVisitor):
    """Collects the dotted names a file takes from our packages, at any depth, with their lines.

    Attributes:
        found: what the program imports.
        types: what type checkers alone import.
    """

    def __init__(self, file: Path) -> None:
        self.found: list[tuple[int, str]] = []
        self.types: list[tuple[int, str]] = []
        self._is_for_types = False
        self._parents = file.relative_to(CHECKOUT).parts[:-1]
        self._aliases: dict[str, str] = {}
        self.visit(ast.parse(file.read_text(encoding="utf-8")))

    def visit_If(self, node: ast.If) -> None:
        if self._is_for_types or ast.unparse(node.test) not in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            self.generic_visit(node)
            return
        self._is_for_types = True
        for child in node.body:
            self.visit(child)
        self._is_for_types = False
        for child in node.orelse:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(node, alias.name)
            self._aliases[alias.asname or alias.name.partition(".")[0]] = alias.name

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        parents = self._parents[: len(self._parents) - node.level + 1] if node.level else ()
        source = ".".join([*parents, *(node.module or "").split(".")]).strip(".")
        for alias in node.names:
            self._add(node, f"{source}.{alias.name}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id in self._aliases:
            self._add(node, f"{self._aliases[node.value.id]}.{node.attr}")
        self.generic_visit(node)

    def _add(self, node: ast.stmt | ast.expr, name: str) -> None:
        if name.partition(".")[0] in ORDER:
            (self.types if self._is_for_types else self.found).append((node.lineno, name))


@cache
def _imports(file: Path) -> _Imports:
    return _Imports(file)


def _target(name: str) -> tuple[str, str, bool]:
    """Find the file a dotted name comes from, and whether it is a public name of the package itself."""
    package, *rest = name.split(".")
    for length in range(len(rest), 0, -1):
        path = CHECKOUT.joinpath(package, *rest[:length])
        if path.with_suffix(".py").exists():
            return package, ".".join(rest[:length]), False
        if (path / "__init__.py").exists():
            return package, ".".join([*rest[:length], "__init__"]), False
    return package, "__init__", not any(part.startswith("_") and not part.endswith("__") for part in rest)


def _contents(root: Path) -> dict[str, bytes]:
    files = (file for package in ORDER for file in (root / package).rglob("*") if file.suffix in {".py", ".typed"})
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def _objection(package: str, module: str, name: str) -> str | None:
    """Say why this file may not import this name; None when it may."""
    target_package, target, is_public = _target(name)
    if target_package != package:
        if package == "interp_api":
            return "interp_api knows nothing of interp_pool"
        return None if is_public else "interp_pool uses the public names of interp_api"
    here, there = _rank(package, module), _rank(package, target)
    if here is None or there is None or there < here:
        return None
    if here == there and ORDER[package][here].endswith(".*"):
        return None
    return f"{target} does not stand before {module} in HOUSE"


@pytest.mark.parametrize("package", [interp_api, interp_pool])
def test_package_under_test_is_the_installed_one(package):
    assert Path(package.__file__).is_relative_to(SITE_PACKAGES)


def test_installed_files_are_those_of_the_checkout():
    """A stale installation would test yesterday's code."""
    assert _contents(SITE_PACKAGES) == _contents(CHECKOUT), "not these sources are installed; run `make setup`"


def _objections(package: str, module: str, imports: list[tuple[int, str]]) -> dict[str, str]:
    return {
        f"line {line} imports {name}": objection
        for line, name in imports
        if (objection := _objection(package, module, name))
    }


def _name(file: Path) -> str:
    return file.relative_to(CHECKOUT).as_posix()


def _is_room(module: str) -> bool:
    return module.endswith(".__init__") and module.startswith("_") and module != "_commands.__init__"


def test_room_itself_has_nothing_that_every_worker_would_pay_for():
    rooms = [file for file in FILES if _is_room(_module(file)[1])]
    assert rooms
    assert [_name(file) for file in rooms if file.read_bytes()] == []


def test_each_file_has_its_place_in_the_house():
    modules = [_module(file) for file in FILES]
    assert [each for each in modules if not _is_room(each[1]) and _rank(*each) is None] == [], "give it one in HOUSE"


def test_files_import_only_from_files_above_them():
    found = {_name(file): _objections(*_module(file), _imports(file).found) for file in FILES}
    assert {name: objections for name, objections in found.items() if objections} == {}


def test_types_come_from_files_before_them_too():
    found = {_name(file): _objections(*_module(file), _imports(file).types) for file in FILES}
    assert {name: objections for name, objections in found.items() if objections} == {}


def test_no_imports_run_in_a_circle():
    """Also among files that may stand in any order, and also for types."""
    graph: dict[str, set[str]] = {}
    for file in FILES:
        package, module = _module(file)
        imports = _imports(file)
        targets = [_target(name)[:2] for _, name in imports.found + imports.types]
        graph[f"{package}.{module}"] = {
            f"{home}.{target}" for home, target in targets if (home, target) != (package, module)
        }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names one


def test_no_file_is_too_long():
    lengths = {_name(file): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES + TESTS}
    long = {
        name: lines
        for name, lines in lengths.items()
        if lines > (LONGEST_TEST if name.startswith("tests/") else LONGEST)
    }
    assert not long, "split them by responsibility"


CORE = sorted((CHECKOUT / "interp_pool/_core").glob("*.py"))


@pytest.mark.parametrize("file", CORE, ids=_name)
def test_core_runs_nothing_but_itself(file):
    """No lock, thread, queue, clock, future or interpreter: all it needs is given."""
    found = {name for _, name in _imports(file).found}
    assert not {name for name in found if not name.startswith("interp_pool._core.")}
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert not modules & {"threading", "_thread", "time", "queue", "asyncio", "concurrent.futures", "interp_api"}


def test_nobody_walks_the_threads_of_all_interpreters():
    """It makes frame objects for threads that run meanwhile: see `interp_pool._process.thread_state`."""
    walks = "sys._current_frames(", "sys._current_exceptions("
    texts = {file: file.read_text(encoding="utf-8") for file in FILES}
    assert not [str(file) for file, text in texts.items() if any(walk in text for walk in walks)]
