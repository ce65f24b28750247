"""Frames, connections and eras: how the proxy speaks with clients and servers, with no SDK in between."""
