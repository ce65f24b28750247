"""Ways out of the directory fork, to be tried from inside it. Standard library only: it runs in the copy.

Each returns what it got hold of, or something false. What it did outside, if anything, the harness looks for itself.
`facts` are what an attacker may know: addresses, paths, process numbers. System calls are numbered as on x86_64.
"""

from attacks import files, machine, network, processes, room
from attacks.trying import ATTEMPTS

__all__ = ["ATTEMPTS", "files", "machine", "network", "processes", "room"]
