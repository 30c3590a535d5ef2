"""`interp_pool.metrics` without the package that it needs."""

from __future__ import annotations

import sys

import pytest


def test_missing_package_is_told_with_the_extra_that_has_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "interp_pool.metrics", raising=False)
    with pytest.raises(ImportError, match=r"interp_pool.metrics needs prometheus_client .*'interp-pool\[prometheus\]'"):
        __import__("interp_pool.metrics")
