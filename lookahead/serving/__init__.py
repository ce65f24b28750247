"""Starting a vLLM server with the flags that fit this model and this machine, and waiting until it answers."""
