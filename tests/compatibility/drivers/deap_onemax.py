"""DEAP: its toolbox with the map of a multiprocessing.Pool, classes made by its creator."""

import multiprocessing
import random

from deap import algorithms, base, creator, tools

creator.create("Fitness", base.Fitness, weights=(1.0,))
creator.create("Individual", list, fitness=creator.Fitness)


def judge(individual):
    return (sum(bit * (place % 7) for _ in range(20) for place, bit in enumerate(individual)),)


toolbox = base.Toolbox()
toolbox.register("bit", random.randint, 0, 1)
toolbox.register("individual", tools.initRepeat, creator.Individual, toolbox.bit, 150)
toolbox.register("population", tools.initRepeat, list, toolbox.individual)
toolbox.register("evaluate", judge)
toolbox.register("mate", tools.cxTwoPoint)
toolbox.register("mutate", tools.mutFlipBit, indpb=0.05)
toolbox.register("select", tools.selTournament, tournsize=3)

if __name__ == "__main__":
    random.seed(8)
    with multiprocessing.Pool(2) as pool:
        toolbox.register("map", pool.map)
        population, _ = algorithms.eaSimple(toolbox.population(n=100), toolbox, 0.5, 0.2, 15, verbose=False)
    print(max(each.fitness.values for each in population))
