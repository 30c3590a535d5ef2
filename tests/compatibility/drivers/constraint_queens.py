"""python-constraint: all solutions for the queens, with its solver of processes."""

from constraint import ParallelSolver, Problem

SIZE = 6

if __name__ == "__main__":
    problem = Problem(ParallelSolver(process_mode=True))
    names = [f"q{column}" for column in range(SIZE)]
    problem.addVariables(names, range(SIZE))
    for right in range(SIZE):
        for left in range(right):
            problem.addConstraint(f"q{left} != q{right}")
            problem.addConstraint(f"abs(q{left} - q{right}) != {right - left}")
    print(sorted(tuple(each[name] for name in names) for each in problem.getSolutions()))
