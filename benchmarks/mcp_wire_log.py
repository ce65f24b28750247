"""Stands between a client and a server on stdio, and writes down what the client sends, to the byte.

python mcp_wire_log.py LOG COMMAND [ARGUMENTS]
"""

import subprocess
import sys
from typing import IO, cast


def main() -> int:
    server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    into = cast(IO[bytes], server.stdin)
    with open(sys.argv[1], "ab", buffering=0) as log:
        for line in sys.stdin.buffer:
            log.write(line)
            into.write(line)
            into.flush()
    into.close()
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
