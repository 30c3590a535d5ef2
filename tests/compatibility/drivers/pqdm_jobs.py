"""pqdm: a progress bar around a process pool."""

from pqdm.processes import pqdm


def digits(number):
    return sum(map(int, str(3**number)))


if __name__ == "__main__":
    print(sum(pqdm(range(4_000), digits, n_jobs=2)))
    print(pqdm([(2, 3), (4, 5)], pow, n_jobs=2, argument_type="args"))
