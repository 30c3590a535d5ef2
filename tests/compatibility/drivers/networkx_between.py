"""networkx: betweenness of parts of a graph, with a multiprocessing.Pool."""

from itertools import batched
from multiprocessing import Pool

import networkx as nx

if __name__ == "__main__":
    graph = nx.connected_watts_strogatz_graph(250, 8, 0.2, seed=5)
    nodes = list(graph)
    with Pool(2) as pool:
        parts = pool.starmap(
            nx.betweenness_centrality_subset,
            [(graph, list(part), nodes, True, None) for part in batched(nodes, 32, strict=False)],
        )
    for node in nodes:
        print(node, round(sum(part[node] for part in parts), 9))
