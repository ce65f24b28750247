"""What runs on the far side of a fork: namespaces, mounts, limits, filters. Standard library only.

The launcher imports this folder as a package of its own, so nothing in it may import the rest of Lookahead.
"""
