"""One module a command. `register(subparsers)` adds its parser, whose `run` takes the arguments and returns a code."""
