# Everything runs in .venv, which tools/setup makes and keeps current; PYTHON=... chooses another Python.
# -P keeps this directory off sys.path: what runs is the installed package, never the files beside it.
ARGS ?=
python := .venv/bin/python -P
# Without .pyc files every worker would pay for compilation; a PYTHONPATH could hide the installed package.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME
# Where the user's configuration asks for --user, pip refuses to install into .venv.
export PIP_USER := 0

.PHONY: help setup demo test lint bench bench-suites ci clean

help:
	@echo "make demo   run the demonstration            ARGS='DIR --workers 4'"
	@echo "make test   run the tests                    ARGS='-k queue -x', ARGS='-m programs'"
	@echo "make lint   ruff, mypy, basedpyright, shellcheck"
	@echo "make bench  compare with other executors     ARGS='--quick --out DIR'"
	@echo "make bench-suites  run the pytest benchmarks ARGS='-k submit'"
	@echo "make ci     everything, on every supported Python"
	@echo "make clean  remove what these made"

setup:
	@PYTHON="$(PYTHON)" tools/setup

demo: setup
	@$(python) -m interp_pool demo $(ARGS)

# All tests: on several processors at once, each file in one process. With arguments in this one: -s and --pdb want that.
test: setup
	@$(python) -m pytest $(if $(strip $(ARGS)),$(ARGS),-n auto --maxprocesses 4 --dist loadfile)

lint: setup
	@$(python) -m pip install --quiet --upgrade pip && $(python) -m pip install --quiet --group lint
	@tools/lint .venv/bin/python

bench bench-suites: setup
	@$(python) -m pip install --quiet --no-build-isolation '.[bench]'
	@$(python) $(if $(filter bench,$@),-m interp_pool bench,-m pytest bench --benchmark-group-by=func) $(ARGS)

ci:
	@.ci/run

clean:
	rm -rf .venv .venv.lock build dist .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find interp_api interp_pool tests bench docs -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
