"""Make one attempt, and say how it went: `python -m attacks NAME`."""

import json
import sys
from pathlib import Path

from attacks import ATTEMPTS


def main() -> None:
    facts = json.loads(Path("facts.json").read_text())
    _, function = ATTEMPTS[sys.argv[1]]
    try:
        got = function(facts)
    except Exception as error:
        got, how = "", f"{type(error).__name__} {getattr(error, 'errno', None) or ''}"
    else:
        how = "nothing was got"
    said = f"ESCAPED: {got!r}" if got else f"refused: {how}"
    Path("verdict.txt").write_text(said)
    print(said, flush=True)


if __name__ == "__main__":
    main()
