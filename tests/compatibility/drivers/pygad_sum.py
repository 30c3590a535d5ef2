"""pygad: a genetic algorithm on NumPy arrays, judged in processes."""

import pygad


def judge(algorithm, solution, index):
    return -abs(float(sum(solution)) - 44)


if __name__ == "__main__":
    algorithm = pygad.GA(
        num_generations=8,
        num_parents_mating=4,
        fitness_func=judge,
        sol_per_pop=12,
        num_genes=6,
        parallel_processing=["process", 2],
        random_seed=2,
        suppress_warnings=True,
    )
    algorithm.run()
    print(round(algorithm.best_solution()[1], 9))
