"""`lookahead serve`: start a world model on this machine, wait until it answers, and say the line to paste."""

import argparse
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lookahead.serving.flags import Command
    from lookahead.serving.machine import Gpu
    from lookahead.serving.plan import Plan
    from lookahead.serving.server import Server

EXAMPLE: Final = """\
The flags follow from the model's config.json and this machine's GPUs; a plan
that does not fit is refused with one that does. What comes after -- goes to
vLLM itself, and wins over our flags. Ctrl-C ends the server.

exit codes:
  0  it served until you stopped it      1  it could not be served
  130  you stopped it before it was ready

examples:
  lookahead serve
  lookahead serve --print
  lookahead serve ./my-model --port 8001 -- --dtype float32
"""


def register(subparsers: Any) -> None:
    from lookahead.serving.known import DEFAULT

    summary = "serve a world model with vLLM on this machine"
    said = f"{summary[0].upper()}{summary[1:]}."
    parser = subparsers.add_parser("serve", help=summary, description=said, epilog=EXAMPLE)
    add = parser.add_argument
    add("model", nargs="?", metavar="MODEL", help=f"a folder, or a model of the hub ({DEFAULT})")
    add("--print", action="store_true", help="only print the command")
    add("--gpus", type=cards, metavar="NxGB", help="with --print: plan for these GPUs instead, such as 8x80")
    add("--json", action="store_true", help="answer for programs; progress goes to stderr")
    add("--host", default="127.0.0.1", help="where to listen (127.0.0.1: this machine alone)")
    add("--port", type=port, default=8000, help="on which port (8000; 0: any that is free)")
    add("--quantization", metavar="HOW", help="make the weights smaller: fp8, or what the files are")
    add("--tensor-parallel", type=count, metavar="N", help="split each layer over N GPUs")
    add("--data-parallel", type=count, metavar="N", help="serve N copies side by side")
    add("--max-model-len", type=count, metavar="N", help="tokens of prompt and answer together")
    add("--trust-remote-code", action="store_true", help="let Python code that comes with the model run")
    add("--python", metavar="PATH", help="the Python that has vLLM, where it is another one")
    add("--log", type=Path, metavar="PATH", help="where vLLM's log goes (.lookahead/vllm-PORT.log)")
    add("--patience", type=count, default=900, metavar="S", help="give up after S seconds without news")
    parser.set_defaults(run=run, extra=[])


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def cards(text: str) -> "tuple[Gpu, ...]":
    from lookahead.serving.machine import Gpu

    number, _, size = text.partition("x")
    if not (number.isdecimal() and size.isdecimal() and 0 < int(number) <= 1024 and 0 < int(size) <= 4096):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of GPUs and their memory in GB, such as 8x80")
    # A card that is sold with 80 GB has some of them for itself.
    memory = int(int(size) * 0.995 * (1 << 30))
    return (Gpu(memory=memory, free=memory),) * int(number)


def run(args: argparse.Namespace) -> int:
    from lookahead.serving.known import DEFAULT

    out = sys.stderr if args.json or args.print else sys.stdout
    say = _teller(out)
    name: str = args.model or DEFAULT
    extra: list[str] = args.extra
    say(f"{name}: looking at the model and at this machine")
    # Imported only now, so that the first line is there at once.
    from lookahead.serving.server import Server, free_port

    args.port = args.port or free_port(args.host)
    found, command = _planned(args, name, extra, say)
    if args.print:
        _print(args, found, command)
        return 0
    key = _key(extra)
    server = Server(command, host=args.host, port=args.port, log=args.log or _log(args.port), key=key)
    say(f"starting: {command.line}")
    say(f"log: {server.log}")
    ready = False
    try:
        with server:
            server.wait(say, patience=args.patience)
            ready = True
            _ready(args, server, say)
            server.watch_until_it_ends()
    except KeyboardInterrupt:
        say("the server and its workers have ended")
        if not ready:
            raise
    return 0


def _teller(out: Any) -> Callable[[str], None]:
    from lookahead.show import safe

    def say(text: str) -> None:
        print(safe(text, None), file=out, flush=True)

    return say


def _planned(
    args: argparse.Namespace, name: str, extra: Sequence[str], say: Callable[[str], None]
) -> "tuple[Plan, Command]":
    from lookahead.errors import ConfigError
    from lookahead.serving import flags
    from lookahead.serving.find import facts_of
    from lookahead.serving.machine import Machine, machine
    from lookahead.serving.plan import Wishes, plan

    facts = facts_of(name)
    wishes = Wishes(
        tensor=args.tensor_parallel,
        data=args.data_parallel,
        context=args.max_model_len,
        quantization=args.quantization,
    )
    if args.gpus and not args.print:
        raise ConfigError("--gpus only plans for another machine: add --print")
    found = plan(facts, Machine(gpus=args.gpus) if args.gpus else machine(), wishes)
    for note in found.notes:
        say(f"note: {note}")
    launcher = flags.launcher(args.python)
    if launcher is None and not args.print:
        raise ConfigError(
            f"vLLM is not installed. Next: {flags.INSTALL}\n"
            'or name a Python that has it (--python PATH), or any server that is there: world="http://HOST:PORT/v1"'
        )
    command = flags.command(
        found,
        host=args.host,
        port=args.port,
        launcher=launcher or flags.LAUNCHER,
        extra=extra,
        trust=args.trust_remote_code,
    )
    if "--trust-remote-code" in command.arguments:
        say("note: Python code that comes with the model may run (--trust-remote-code)")
    return found, command


def _print(args: argparse.Namespace, found: "Plan", command: "Command") -> None:
    if not args.json:
        print(command.line)
        return
    from lookahead.commands._listing import emit

    planned = {
        "tensor_parallel": found.tensor,
        "data_parallel": found.data,
        "max_model_len": found.context,
        "quantization": found.quantization or None,
        "weight_bytes_per_gpu": found.weights,
        "notes": list(found.notes),
    }
    answer = {"command": list(command.arguments), "environment": dict(command.environment), "line": command.line}
    emit("serve", {**answer, "plan": planned})


def _ready(args: argparse.Namespace, server: "Server", say: Callable[[str], None]) -> None:
    if args.json:
        from lookahead.commands._listing import emit

        emit("serve", {"world": server.world, "model": server.model, "pid": server.pid, "log": str(server.log)})
        sys.stdout.flush()
    else:
        say("")
        say(f'world="{server.world}"')
        say(f"LOOKAHEAD_WORLD={server.world}")
        say("")
    if args.host in ("0.0.0.0", "::"):
        say(f"from other machines: http://{socket.gethostname()}:{args.port}/v1")
        if not server.key:
            say("note: whoever reaches this port can use it; set VLLM_API_KEY to ask for a key")
    say(f"serving {server.model}; Ctrl-C ends it")


def _key(extra: Sequence[str]) -> str | None:
    """The key that the server will ask for, so that our own first question is let in."""
    for place, flag in enumerate(extra):
        if flag == "--api-key" and place + 1 < len(extra):
            return extra[place + 1]
        if flag.startswith("--api-key="):
            return flag.partition("=")[2]
    return os.environ.get("VLLM_API_KEY") or None


def _log(port: int) -> Path:
    folder = Path(".lookahead")
    try:
        folder.mkdir(exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder / f"vllm-{port}.log"
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="lookahead-serve-")) / f"vllm-{port}.log"
