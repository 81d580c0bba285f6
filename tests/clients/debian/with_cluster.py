#!/usr/bin/env python3
"""Runs a command beside a cluster of its own, whose address is in MILLRACE_BOOTSTRAP.

Usage: with_cluster.py COMMAND [ARGUMENT...]. MILLRACE_PROGRAMS names the folder with the programs.
What the processes said is printed when the command fails.
"""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "cluster"))

import local_cluster  # noqa: E402  (its folder had to be named first)


def main():
    # Tests make many groups, each of which would wait for more members.
    cluster = local_cluster.LocalCluster("--set", "group.initial.rebalance.delay.ms=200")
    try:
        cluster.start()
        address = ",".join(f"{host}:{port}" for host, port in cluster.bootstrap)
        environment = os.environ | {"MILLRACE_BOOTSTRAP": address}
        status = subprocess.run(sys.argv[1:], env=environment, check=False).returncode
        if status != 0:
            print(cluster.explanation(), file=sys.stderr)
        stopped = cluster.stop()
        if stopped != 0:
            print(f"the cluster ended with {stopped}\n{cluster.explanation()}", file=sys.stderr)
        return status or stopped
    finally:
        cluster.close()


if __name__ == "__main__":
    sys.exit(main())
