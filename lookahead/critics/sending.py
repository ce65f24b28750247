"""Programs that carry data away: what leaves, and to whom."""

import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from lookahead.critics.calls import Call
from lookahead.critics.finding import Finding, caution, danger
from lookahead.critics.nameset import nameset
from lookahead.critics.options import Options, options
from lookahead.critics.paths import Ground, is_secret

_CURL_VALUED: Final = (
    "-d --data --data-raw --data-binary --data-urlencode --data-ascii --json -F --form --form-string -T --upload-"
    " file -X --request -H --header"
    " -o --output -u --user -A --user-agent -e --referer -b --cookie -c --cookie-jar -m --max-time --connect-"
    " timeout -x --proxy -w --write-out --retry"
    " -K --config -E --cert --key --cacert --resolve --url --unix-socket -Q --quote -r --range --limit-rate -C -y -Y -z"
)
_LOCAL: Final = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|0\.0\.0\.0|[\w-]+\.localhost)$")


def host_of(url: str) -> str:
    """The host of an address as people write it."""
    try:
        host = urlsplit(url if "://" in url else f"//{url}").hostname
    except ValueError:
        host = None
    return host or url[:60]


def sends(call: Call, ground: Ground) -> Iterator[Finding]:
    """What this call sends away by itself."""
    if call.name in SENDERS:
        yield from SENDERS[call.name](call)
        yield from _named_secret(call)


def _leaves(what: str, host: str, items: list[str]) -> Finding:
    secret = next((item for item in items if is_secret(item)), None)
    if secret is not None:
        return danger(
            "leaves.secret", f"sends {secret} to {host}", "a key that has left is no longer a key", secret, names=()
        )
    return caution(
        "leaves.upload", f"{what} to {host}", "what has left cannot be called back", *items[:2], names=(host,)
    )


def _curl(call: Call) -> Iterator[Finding]:
    found = options(call.args, _CURL_VALUED)
    urls = [*found.texts, *found.values.get("--url", [])]
    host = host_of(urls[0]) if urls else "somewhere"
    bodies = [
        v
        for n in (
            "-d",
            "--data",
            "--data-raw",
            "--data-binary",
            "--data-urlencode",
            "--data-ascii",
            "--json",
            "-F",
            "--form",
        )
        for v in found.values.get(n, [])
    ]
    files = [
        body.partition("@")[2].partition(";")[0] for body in bodies if "@" in body and "--data-raw" not in found.values
    ]
    files += found.values.get("-T", []) + found.values.get("--upload-file", [])
    method = (found.value("-X", "--request") or ("POST" if bodies else "PUT" if files else "GET")).upper()
    yield from _request(method, host, [item for item in files if item != "-"], bool(bodies or files))


def _request(method: str, host: str, files: list[str], body: bool) -> Iterator[Finding]:
    if files and (not _LOCAL.fullmatch(host) or any(is_secret(item) for item in files)):
        yield _leaves(f"sends {', '.join(files[:2])}", host, files)
    elif method == "DELETE":
        yield caution(
            "remote.deleted",
            f"asks {host} to delete something",
            "no copy shows what that does",
            names=(host,),
            loses=True,
        )
    elif method in ("POST", "PUT", "PATCH") and not _LOCAL.fullmatch(host):
        yield caution(
            "leaves.request", f"sends a {method} request to {host}", "no copy shows what that does", names=(host,)
        )


_SECRET_NAME: Final = re.compile(r"(?i)secret|token|passw|api_?key|credential|private|access_?key|auth")
_PROOF: Final = ("-H", "--header", "-u", "--user", "--oauth2-bearer", "-b", "--cookie", "-E", "--cert", "--key")


def _named_secret(call: Call) -> Iterator[Finding]:
    """A secret in an address or a body. In a header it proves who asks, which is what it is for."""
    before = ""
    for word in call.args:
        secret = next((name for name in word.uses if _SECRET_NAME.search(name)), None)
        if secret is not None and before not in _PROOF and not word.text.startswith(_PROOF):
            yield danger("leaves.secret", f"puts ${secret} into a request", "a key that has left is no longer a key")
        before = word.text


def _wget(call: Call) -> Iterator[Finding]:
    found = options(
        call.args,
        "-O -o -P -U --post-data --post-file --body-data --body-file --method --header -e -t -T -i --user --password",
    )
    host = host_of(found.texts[0]) if found.rest else "somewhere"
    files = [value for name in ("--post-file", "--body-file") for value in found.values.get(name, [])]
    body = bool(files or found.has("--post-data", "--body-data"))
    yield from _request((found.value("--method") or ("POST" if body else "GET")).upper(), host, files, body)


def _httpie(call: Call) -> Iterator[Finding]:
    texts = options(call.args).texts
    method = (
        texts[0].upper() if texts and texts[0].upper() in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD") else "GET"
    )
    rest = texts[1:] if texts and texts[0].upper() == method else texts
    fields = [text for text in rest[1:] if re.search(r"[^=]=|:=|@", text)]
    files = [text.partition("@")[2] for text in fields if "@" in text and "=" not in text.partition("@")[0]]
    yield from _request(
        "POST" if fields and method == "GET" else method,
        host_of(rest[0]) if rest else "somewhere",
        files,
        bool(fields),
    )


def _copy(call: Call) -> Iterator[Finding]:
    found: Options = options(
        call.args, "-P -i -o -F -S -c -l -J -e --rsh --exclude --include --filter -f --port --bwlimit"
    )
    if call.name == "rsync" and found.has("-n", "--dry-run"):
        return
    if len(found.rest) < 2:
        return
    target = found.rest[-1].text
    if re.match(r"^(\w[\w+.-]*://|rsync:|[\w.@-]{2,}:)", target) and not re.match(r"^[A-Za-z]:[\\/]", target):
        host = host_of(target) if "://" in target else target.partition(":")[0].rpartition("@")[2]
        sources = found.texts[:-1]
        yield _leaves(f"copies {', '.join(sources[:2])}", host, sources)
        if any(flag.startswith("--del") for flag in found.flags):
            yield danger(
                "remote.deleted",
                f"deletes at {host} what is not here",
                "no copy shows what that is",
                target,
                names=(host,),
            )


def _netcat(call: Call) -> Iterator[Finding]:
    found = options(call.args, "-p -s -w -q -i -x -X -e -c")
    gives = call.name in ("nc", "ncat", "netcat") and found.has("-e", "-c", "--exec", "--sh-exec")
    if gives or any("exec:" in text.lower() or "system:" in text.lower() for text in call.texts):
        yield danger(
            "network.remote-control",
            "gives a shell to the network",
            "whoever answers can do anything",
            call.shown,
            loses=False,
        )
    elif not found.has("-l", "--listen", "-z") and found.rest:
        fed = bool(call.fed_by) or call.stdin is not None or any(r.operator == "<" for r in call.redirects)
        if fed or call.name in ("telnet", "socat", "ftp", "sftp", "tftp", "lftp"):
            yield _leaves("opens a connection", found.texts[0], [r.target for r in call.redirects if r.operator == "<"])


def _mail(call: Call) -> Iterator[Finding]:
    found = options(call.args, "-s -a -c -b -r -A --attach --subject --from")
    files = [value for name in ("-a", "-A", "--attach") for value in found.values.get(name, [])]
    yield _leaves("sends mail", ", ".join(found.texts[:2]) or "somebody", files)


def _cloud(call: Call) -> Iterator[Finding]:
    texts = [text for text in call.texts if not text.startswith("-")]
    if call.name == "aws" and texts[:1] == ["s3"] and texts[1:2] in (["cp"], ["sync"], ["mv"]) and len(texts) > 3:
        if texts[3].startswith("s3://") and not texts[2].startswith("s3://") and "--dryrun" not in call.texts:
            yield _leaves(f"copies {texts[2]}", texts[3], [texts[2]])
    elif call.name == "gh" and texts[:2] == ["gist", "create"]:
        yield _leaves("publishes a gist", "GitHub", texts[2:])


def _tunnel(call: Call) -> Iterator[Finding]:
    if call.name in ("ssh", "autossh"):
        fed = call.stdin is None and (call.fed_by or any(redirect.operator == "<" for redirect in call.redirects))
        found = options(call.args, "-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w", first=True)
        if found.has("-R"):
            yield danger(
                "network.remote-control",
                "lets another machine in by a tunnel",
                "who connects there is inside here",
                call.shown,
                loses=False,
            )
        if fed and found.rest:
            yield _leaves("sends data", found.texts[0].rpartition("@")[2], [])
    elif not {"-h", "--help", "--version", "version"} & set(call.texts):
        yield caution(
            "network.opened",
            "makes something here reachable for everybody",
            "it stays open until somebody closes it",
            call.shown,
        )


SENDERS: Final[dict[str, Callable[[Call], Iterator[Finding]]]] = {
    "curl": _curl,
    "curlie": _curl,
    "wget": _wget,
    "http": _httpie,
    "https": _httpie,
    "xh": _httpie,
    "scp": _copy,
    "rsync": _copy,
    "sftp": _netcat,
    "nc": _netcat,
    "ncat": _netcat,
    "netcat": _netcat,
    "socat": _netcat,
    "telnet": _netcat,
    "ftp": _netcat,
    "tftp": _netcat,
    "lftp": _netcat,
    "mail": _mail,
    "mailx": _mail,
    "mutt": _mail,
    "sendmail": _mail,
    "swaks": _mail,
    "msmtp": _mail,
    "aws": _cloud,
    "gh": _cloud,
    "ssh": _tunnel,
    "autossh": _tunnel,
    "ngrok": _tunnel,
    "cloudflared": _tunnel,
    "lt": _tunnel,
    "bore": _tunnel,
}
NETWORK: Final = frozenset(SENDERS) | nameset(
    "ping dig nslookup host pip npm apt apt-get docker kubectl fetch aria2c lynx w3m openssl"
)
"""Programs that answer differently where there is no network."""
_GIT_REMOTE: Final = nameset("fetch pull push clone ls-remote remote submodule lfs svn send-email")


def needs_network(call: Call) -> bool:
    """Whether a copy without a network would do something else than the real thing."""
    if call.name == "git":
        return any(text in _GIT_REMOTE for text in call.texts)
    return call.name in NETWORK or bool(call.elsewhere)
