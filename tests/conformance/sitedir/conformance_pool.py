"""CPython's own tests of multiprocessing.Pool, run on interp_pool's. Workers import this: some tasks are in a class."""

from __future__ import annotations

import multiprocessing
import unittest

from test import _test_multiprocessing as upstream

from interp_pool import Pool

multiprocessing.Pool = Pool  # for the tests that make theirs by this name


class _Mixin(upstream.ProcessesMixin):
    Pool = Pool


class PoolTest(upstream._TestPool, _Mixin, unittest.TestCase):
    pass


class PoolWorkerErrorsTest(upstream._TestPoolWorkerErrors, _Mixin, unittest.TestCase):
    pass


class PoolWorkerLifetimeTest(upstream._TestPoolWorkerLifetime, _Mixin, unittest.TestCase):
    pass
