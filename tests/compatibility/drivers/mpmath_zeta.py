"""mpmath: many digits."""

from concurrent.futures import ProcessPoolExecutor

import mpmath


def zeta(number):
    with mpmath.workdps(400):
        return mpmath.zeta(number + 2) ** mpmath.mpf(number)


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        for value in pool.map(zeta, range(80)):
            print(mpmath.nstr(value, 30))
