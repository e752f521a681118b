"""A Ray cluster of several nodes on this machine, in a process of its own: one line in, one line out.

python -m tests.ray_cluster NODES      prints the address; ends when stdin is closed
remove                                 ends the last node at once, as if its machine had died
"""

from __future__ import annotations

import os
import sys
from typing import Any


def main() -> None:
    """Serve until stdin is closed."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster()
    memory = 100 * 2**20
    nodes = [
        cluster.add_node(num_cpus=1, include_dashboard=False, object_store_memory=memory)
        for _ in range(int(sys.argv[1]))
    ]
    print(cluster.address, file=answers, flush=True)
    for _line in sys.stdin:
        cluster.remove_node(nodes.pop(), allow_graceful=False)
        print("removed", file=answers, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
