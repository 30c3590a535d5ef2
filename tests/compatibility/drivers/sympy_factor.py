"""sympy: expressions made in the workers, and expressions that go there and back."""

from concurrent.futures import ProcessPoolExecutor

from sympy import cos, diff, factor, integrate, sin, symbols

x, y = symbols("x y")


def split(power):
    return str(factor(x**power - 1)), str(integrate(x ** (power % 5) * sin(x), x))


def third(expression):
    return diff(expression, x, 3)


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        for found in pool.map(split, range(2, 40)):
            print(*found)
        for found in pool.map(third, [sin(x * y) ** n * cos(n * x) for n in range(1, 9)]):
            print(found)
