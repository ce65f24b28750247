"""Three candidates, imagined at the same time in copies of the folder; the harmless one is done, and it says so.

python examples/choose_the_better.py
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Sequence

from lookahead import Action, BestOf, State, with_lookahead


def shell(command: str) -> str:
    """Run a command."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


async def other_ways(state: State, n: int) -> Sequence[Action]:
    """Whoever can think of alternatives: the agent's own model, asked again, say."""
    commands = ["rm -rf build", "find . -name '*.o' -delete"]
    return [Action(tool="shell", arguments={"command": command}) for command in commands][:n]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.makedirs("build")
        open("build/tides.o", "wb").close()
        with open("draft.md", "w", encoding="utf-8") as file:
            file.write("not saved anywhere else\n")

        guarded = with_lookahead(
            shell,
            goal="clear away what the build left",
            world=f"directory:{folder}",
            search=BestOf(k=3, propose=other_ways),
            policy={"swap": True},
        )
        forecast = guarded.lookahead.forecast("shell")  # type: ignore[attr-defined]
        print(f"at most {forecast.calls} imagined steps, {forecast.tokens} tokens")
        print(guarded("rm -rf *"))
        print("left in the folder:", sorted(name for name in os.listdir() if not name.startswith(".")))


if __name__ == "__main__":
    main()
