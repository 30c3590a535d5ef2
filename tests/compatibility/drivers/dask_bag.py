"""dask: a bag and delayed calls, with its scheduler of processes."""

import dask
import dask.bag


def letters(number):
    return list(f"item {number * number}")


@dask.delayed
def triangle(size):
    return sum(range(size))


if __name__ == "__main__":
    options = {"scheduler": "processes", "num_workers": 2}
    bag = dask.bag.from_sequence(range(20_000), npartitions=8)
    print(sorted(bag.map(letters).flatten().frequencies().compute(**options)))
    factor = 3
    print(bag.map(lambda number: number * factor).sum().compute(**options))
    print(dask.compute(*(triangle(size) for size in range(0, 400_000, 20_000)), **options))
