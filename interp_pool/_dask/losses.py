"""How often a task is begun again whose worker process was lost: each task says it, and the scheduler counts.

Owns the plugin of the scheduler that makes it so. The scheduler gives a task up when the workers that it was sent to
have died once more than its setting `allowed-failures`, which is for all tasks. So a task of ours begins with a count
that leaves it as many losses as it may have.
"""

from interp_pool._dask import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOSSES = "interp_pool_losses"
"""The annotation."""


class LossLimit(host.SchedulerPlugin):  # type: ignore[misc]  # distributed has no types here
    """Counts the losses of each task from where its annotation says."""

    name = "interp_pool-losses"
    idempotent = True

    def update_graph(self, scheduler: "Any", *, annotations: "dict[str, dict[Any, Any]]", **_: "Any") -> None:
        """Note new tasks. Called by the scheduler, before they go anywhere."""
        for key, losses in annotations.get(LOSSES, {}).items():
            task = scheduler.tasks.get(key)
            if task is not None:
                task.suspicious = scheduler.allowed_failures - losses
