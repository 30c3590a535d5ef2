"""What is known of packages whose extension modules cannot be loaded in a worker: one table, with its sources.

Owns the numbers and the names of files, each with where it comes from. Whoever tells a user of a package reads it
here. It is loaded when there is something to tell.

How the costs were measured: CPython 3.14.10 on x86-64, the wheels of November 2026; the same function in a worker and
in the main interpreter of the same process, the best of five calls each.
How the wheels were found: `pip download --only-binary :all: --platform any --implementation py --abi none`, November
2026.
"""

from typing import NamedTuple


class Cost(NamedTuple):
    """What takes the place of an extension module, measured against it."""

    version: str
    doing: str
    factor: float  # times as long


COSTS = {
    "google": Cost("protobuf 7.36.2", "parsing a list of 20,000 numbers", 242),
    "msgpack": Cost("msgpack 1.2.4", "unpacking 100,000 integers", 27),
    "rapidfuzz": Cost("rapidfuzz 3.14.6", "fuzz.ratio of short strings", 26),
    "simplejson": Cost("simplejson 4.3.0", "reading a list of 20,000 objects", 12),
    "websockets": Cost("websockets 17.4", "masking a frame of 100,000 bytes", 59),
    "yaml": Cost("PyYAML 6.0.4", "loading with SafeLoader instead of CSafeLoader", 10),
    "yarl": Cost("yarl 1.25.1", "parsing 2,000 URLs", 2),
}
"""By top-level module."""

PURE_WHEELS = {
    "aiohttp": "aiohttp-3.14.5-py3-none-any.whl",
    "black": "black-26.10.1-py3-none-any.whl",
    "chardet": "chardet-7.7.0-py3-none-any.whl",
    "charset_normalizer": "charset_normalizer-3.5.3-py3-none-any.whl",
    "coverage": "coverage-7.17.5-py3-none-any.whl",
    "google": "protobuf-7.36.2-py3-none-any.whl",
    "isort": "isort-9.0.2-py3-none-any.whl",
    "mypy": "mypy-2.4.1-py3-none-any.whl",
    "simplejson": "simplejson-4.3.0-py3-none-any.whl",
    "sqlalchemy": "sqlalchemy-2.1.9-py3-none-any.whl",
    "websockets": "websockets-17.4-py3-none-any.whl",
    "yarl": "yarl-1.25.1-py3-none-any.whl",
}
"""By top-level module: a wheel without extension modules, which loads in a worker as far as these are what refuses."""


def cost_of(module: str) -> str:
    """Return what it costs to go on without an extension module, in words; "" if nobody has measured it."""
    cost = COSTS.get(module.partition(".")[0])
    if cost is None:
        return ""
    return f"{cost.doing} takes {cost.factor:g} times as long ({cost.version})"


def pure_wheel_of(module: str) -> str:
    """Return the wheel without extension modules of the package that a module is of; "" if none is known."""
    return PURE_WHEELS.get(module.partition(".")[0], "")
