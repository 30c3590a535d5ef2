"""What an executor says of its pool, and asks of it, beside tasks.

Owns the methods of the executor that do nothing but pass on: they are the pool's.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._core.statistics import Statistics
    from interp_pool._pool.pool import InterpreterPool


class Upkeep:
    """A part of the executor. Thread safety: all methods."""

    _pool: "InterpreterPool"

    def statistics(self) -> "Statistics":
        """Return a snapshot of the counts of the executor's pool: workers and tasks by state, messages, bytes."""
        return self._pool.statistics()

    def resize(self, max_workers: int | None = None, *, min_workers: int | None = None) -> None:
        """Change how many workers there may be, and how many stay. See `InterpreterPool.resize`."""
        self._pool.resize(max_workers, min_workers=min_workers)

    def renew_workers(self) -> None:
        """Give each worker a new interpreter after its task, for modules that were edited, or reloaded here.

        See `InterpreterPool.renew_workers`. On a shared pool this is so for the tasks of all its executors.
        """
        self._pool.renew_workers()
