"""How many threads may run at once, and whether processes may be forked."""

import multiprocessing
import os
import sys
import threading


def usable_cores() -> int:
    """The CPU cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        return os.cpu_count() or 1


def may_fork() -> bool:
    """Whether a forked process can work: on Linux, where neither jax nor another thread could hold a lock for ever in it.

    A daemon of `multiprocessing` may have no processes.
    """
    alone = threading.active_count() == 1 and "jax" not in sys.modules
    return sys.platform == "linux" and alone and not multiprocessing.current_process().daemon
