"""What the proxy does with a call: each mode is a function of whoever would answer it to whoever answers instead."""
