"""A small process that only forks: one watcher for each confined run, so that a run costs no interpreter start."""

import contextlib
import gc
import os
import signal
import socket

from .seccomp import program
from .supervise import supervise


def main(descriptor: int) -> None:
    """Serve until the caller hangs up. Each request brings two descriptors: a line to the caller, and the output."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who then hangs up
    os.setsid()
    with contextlib.suppress(OSError):  # done once, for every child
        program(unix_sockets=True)
        program(unix_sockets=False)
    gc.collect()
    gc.freeze()  # what was made so far is never looked at again, so its pages stay shared with every watcher
    line = socket.socket(fileno=descriptor)
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(line, 1, 2)
        except InterruptedError:
            continue
        if not message:
            return
        control, output = descriptors
        if os.fork() == 0:
            line.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                supervise(control, output)
            finally:
                os._exit(0)
        os.close(control)
        os.close(output)
