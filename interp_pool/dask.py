"""Dask on interpreters: a plugin for its workers, and an executor over a whole cluster.

    InterpreterPlugin   gives each worker process an executor "interpreters", for `dask.annotate(executor=...)`
    ClusterExecutor     what an InterpreterPoolExecutor is, over a cluster

`dask worker ... --preload interp_pool.dask` adds the plugin to a worker. Local schedulers of dask need nothing of this:
`dask.config.set(pool=executor)` takes an InterpreterPoolExecutor as it is.
"""

from interp_pool._dask.cluster_executor import ClusterExecutor
from interp_pool._dask.plugin import InterpreterPlugin, dask_setup, dask_teardown

__all__ = ["ClusterExecutor", "InterpreterPlugin", "dask_setup", "dask_teardown"]
