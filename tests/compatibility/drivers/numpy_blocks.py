"""NumPy in the tasks, the most common import of programs with pools."""

from concurrent.futures import ProcessPoolExecutor

import numpy as np


def norm(seed):
    values = np.random.default_rng(seed).normal(size=(120, 120))
    return round(float(np.linalg.norm(values @ values.T)), 6)


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(norm, range(40))))
