"""Everything of dask and distributed that this package uses, in one place; with those of their names that are private.

Owns what happens where one of them is missing. Their objects have no types here.
"""

from importlib import import_module
from importlib.metadata import version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TESTED = "2026.8.0"  # of both

# Documented.
_PUBLIC = {
    "dask": "annotate config",
    "dask.sizeof": "sizeof",
    "distributed": "Client Future KilledWorker Reschedule Scheduler Worker",
    "distributed.diagnostics.plugin": "SchedulerPlugin WorkerPlugin",
}
# Private: what a worker's threads are given, what is in it, and what they answer.
_PRIVATE = {
    "dask._task_spec": "Alias DataNode GraphNode NestedContainer Task TaskRef _execute_subgraph _identity_cast",
    "distributed.core": "error_message",
    "distributed.worker": "_run_task _run_task_simple",
}
# Attributes that are not documented, or that only an article mentions. They are looked for where they are used.
#     Worker           executors, state.tasks, execution_state, active_threads, active_threads_lock, plugins
#     TaskState        annotations (worker); suspicious (scheduler)
#     Scheduler        allowed_failures, tasks


def _load() -> "dict[str, Any]":
    found: dict[str, Any] = {}
    for module, names in (_PUBLIC | _PRIVATE).items():
        try:
            loaded = import_module(module)
        except ImportError as exc:
            if (exc.name or "").partition(".")[0] in ("dask", "distributed") and not _is_installed("distributed"):
                raise ImportError(
                    "interp_pool.dask needs dask's distributed: pip install 'interp-pool[dask]'", name="distributed"
                ) from exc
            raise
        for name in names.split():
            try:
                found[name] = getattr(loaded, name)
            except AttributeError as exc:
                raise ImportError(
                    f"interp_pool.dask needs {module}.{name}, which distributed {version('distributed')} does not "
                    f"have: it was tested with {TESTED}, pip install 'distributed == {TESTED}'",
                    name=module,
                ) from exc
    return found


def _is_installed(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


_names = _load()

annotate: "Any" = _names["annotate"]
config: "Any" = _names["config"]
sizeof: "Any" = _names["sizeof"]
Client: "Any" = _names["Client"]
DaskFuture: "Any" = _names["Future"]
KilledWorker: "Any" = _names["KilledWorker"]
Reschedule: "Any" = _names["Reschedule"]
Scheduler: "Any" = _names["Scheduler"]
Worker: "Any" = _names["Worker"]
SchedulerPlugin: "Any" = _names["SchedulerPlugin"]
WorkerPlugin: "Any" = _names["WorkerPlugin"]

Alias: "Any" = _names["Alias"]
DataNode: "Any" = _names["DataNode"]
GraphNode: "Any" = _names["GraphNode"]
NestedContainer: "Any" = _names["NestedContainer"]
Task: "Any" = _names["Task"]
TaskRef: "Any" = _names["TaskRef"]
execute_subgraph: "Any" = _names["_execute_subgraph"]
identity_cast: "Any" = _names["_identity_cast"]
error_message: "Any" = _names["error_message"]
run_task: "Any" = _names["_run_task"]
run_task_simple: "Any" = _names["_run_task_simple"]
