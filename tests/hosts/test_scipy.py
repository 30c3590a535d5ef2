"""SciPy's solvers with an executor for their workers: the same results, bit for bit, as in one thread."""

from __future__ import annotations

import pytest
import scipy_tasks

from interp_api import QueueEmpty, create_queue
from interp_pool import InterpreterPoolExecutor, scipy_map

pytest.importorskip("scipy", reason="the dependency group `hosts` is not installed")

import numpy as np
from scipy import integrate, optimize

pytestmark = pytest.mark.hosts


@pytest.fixture(scope="module", autouse=True)
def _loaded_once():
    """Let SciPy and the main thread open what they open once."""
    with pytest.raises(QueueEmpty):
        create_queue().get(timeout=0.001)
    optimize.brute(scipy_tasks.parabola, ((0, 1),), Ns=3, finish=None)
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(abs, -1).result(60)


@pytest.fixture
def workers(request):
    with InterpreterPoolExecutor(2) as executor:
        yield scipy_map(executor)
    del request.node.funcargs["workers"]  # its queues end before the leak check looks


def differential_evolution(workers, **options):
    return optimize.differential_evolution(
        scipy_tasks.valley, [(-2, 2)] * 3, workers=workers, updating="deferred", rng=1, maxiter=20, **options
    )


SOLVERS = {
    "differential_evolution": differential_evolution,
    "differential_evolution with arguments": lambda workers: differential_evolution(workers, args=(1.5, 90.0)),
    "BFGS": lambda workers: optimize.minimize(
        scipy_tasks.valley, [0.1, 0.2, 0.3], method="BFGS", options={"workers": workers}
    ),
    "L-BFGS-B with arguments": lambda workers: optimize.minimize(
        scipy_tasks.valley, [0.1, 0.2, 0.3], args=(1.2,), method="L-BFGS-B", options={"workers": workers}
    ),
    "shgo": lambda workers: optimize.shgo(scipy_tasks.valley, [(-2, 2)] * 2, workers=workers),
    "least_squares": lambda workers: optimize.least_squares(scipy_tasks.residuals, [0.0, 0.0], workers=workers),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_solver_finds_the_same_in_workers(workers, name):
    alone, parallel = SOLVERS[name](map), SOLVERS[name](workers)
    for key in ("x", "fun", "nfev", "nit"):
        assert np.array_equal(alone.get(key), parallel.get(key)), key


@pytest.mark.parametrize(
    ("objective", "ranges", "args"),
    [
        (scipy_tasks.valley, ((-2, 2), (-2, 2)), ()),
        (scipy_tasks.parabola, ((-2, 5),), (0.5,)),
    ],
)
def test_brute_finds_the_same_in_workers(workers, objective, ranges, args):
    alone, parallel = (
        optimize.brute(objective, ranges, args=args, Ns=15, workers=each, finish=None, full_output=True)
        for each in (map, workers)
    )
    for one, other in zip(alone, parallel, strict=True):
        assert np.array_equal(one, other)


def test_solver_goes_through_a_view_with_its_options(workers):
    with InterpreterPoolExecutor(2) as executor:
        view = executor.options(timeout=60, name="objective")
        assert differential_evolution(scipy_map(view)).fun == differential_evolution(map).fun


def test_error_of_the_objective_is_the_solvers(workers):
    with pytest.raises(LookupError, match="at "):
        optimize.differential_evolution(scipy_tasks.fail, [(0, 1)], workers=workers, updating="deferred")


def test_solver_whose_workers_do_more_than_call_the_function_is_refused(workers):
    with pytest.raises(NotImplementedError, match="is SciPy's own and needs NumPy"):
        integrate.quad_vec(abs, 0, 1, workers=workers)
    constraint = {"type": "ineq", "fun": scipy_tasks.parabola}
    with pytest.raises(NotImplementedError, match=r"cannot find your function in scipy\..*ConstraintWrapper"):
        optimize.shgo(scipy_tasks.valley, [(-2, 2)] * 2, workers=workers, constraints=[constraint])
