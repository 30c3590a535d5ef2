"""Runs at the start of every interpreter of a conformance run, subinterpreters and child processes included.

Owns nothing but the decision to install the alias; must stay cheap, because it is paid once per interpreter.
"""

import os
import sys

# Upstream expects closures to be refused; with cloudpickle installed they are sent.
sys.modules["cloudpickle"] = None  # type: ignore[assignment]

if os.environ.get("CONFORMANCE_TARGET", "ours") == "ours":
    import conformance_alias

    conformance_alias.install()
