"""Stands for Slurm's commands on one machine: each is a link to this file, which acts as what it is called.

It knows what submitit uses of them. What it keeps is in the folder of the links: `77_0.pid`, `77_0.code`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

HERE = Path(sys.argv[0]).parent


def sbatch(file: str) -> None:
    """Begin the jobs of a batch file, all of them at once."""
    number = 77 + len(list(HERE.glob("*.batch")))
    (HERE / f"{number}.batch").write_text(file)
    array = re.search(r"^#SBATCH --array=0-(\d+)", Path(file).read_text(), re.MULTILINE)
    for name in [f"{number}_{i}" for i in range(int(array[1]) + 1)] if array else [f"{number}"]:
        begin(name)
    print(f"Submitted batch job {number}")


def begin(name: str) -> None:
    """Begin a job, in a session of its own that keeps its exit code."""
    number, _, index = name.partition("_")
    env = os.environ | {"SLURM_JOB_ID": number, "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    env |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": index} if index else {}
    batch = (HERE / f"{number}.batch").read_text()
    line = f"echo $$ > {HERE}/{name}.pid; sh {batch}; echo $? > {HERE}/{name}.code"
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen(["sh", "-c", line], env=env, start_new_session=True, **streams)  # type: ignore[call-overload]


def srun(*words: str) -> None:
    """Become the command that follows the options, with its output where these say."""
    first = words.index(sys.executable)
    options = dict(pairwise(words[:first]))
    known = {"%j": "SLURM_JOB_ID", "%A": "SLURM_ARRAY_JOB_ID", "%a": "SLURM_ARRAY_TASK_ID", "%t": "SLURM_PROCID"}
    for stream, option in ((1, "--output"), (2, "--error")):
        path = re.sub("%[jAat]", lambda match: os.environ.get(known[match[0]], ""), options[option])
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    os.execv(sys.executable, words[first:])


def sacct(*words: str) -> None:
    """Print the states of jobs."""
    print("JobID|State|NodeList")
    for option, number in pairwise(words):
        if option == "-j":
            for file in HERE.glob(f"{number}*.pid"):
                code = file.with_suffix(".code")
                state = "RUNNING" if not code.exists() else "COMPLETED" if code.read_text() == "0\n" else "FAILED"
                print(f"{file.stem}|{state}|here")


def scancel(*words: str) -> None:
    """End jobs."""
    for name in words:
        with suppress(OSError):
            os.killpg(int((HERE / f"{name}.pid").read_text()), signal.SIGKILL)


def scontrol(_requeue: str, name: str) -> None:
    """Begin a job again as soon as it has ended."""
    if os.fork() == 0:
        os.setsid()
        while not (HERE / f"{name}.code").exists():
            time.sleep(0.05)
        (HERE / f"{name}.code").unlink()
        begin(name)


if __name__ == "__main__":
    commands = {"sbatch": sbatch, "srun": srun, "sacct": sacct, "scancel": scancel, "scontrol": scontrol}
    commands[Path(sys.argv[0]).name](*sys.argv[1:])  # type: ignore[operator]
