"""What a confined command can see besides the copy: programs, libraries and settings, but nobody's secrets."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store")
_ETC: Final = (
    "alternatives", "bash.bashrc", "ca-certificates.conf", "crypto-policies", "debian_version",
    "fonts", "gai.conf", "gitattributes", "gitconfig", "group", "host.conf", "hostname", "hosts", "inputrc", "issue",
    "java*", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "locale.conf", "localtime", "login.defs",
    "lsb-release", "machine-id", "magic", "magic.mime", "mime.types", "networks", "nsswitch.conf", "os-release",
    "passwd", "pki/ca-trust", "pki/tls/certs", "protocols", "python3*", "redhat-release", "rpc",
    "services", "shells", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
_NO_WAY_OUT: Final = "nameserver 192.0.2.1\noptions timeout:1 attempts:1\n"
"""An address that nobody has: a name that must be asked for becomes a visible attempt to reach the network."""
_ENVIRONMENT: Final = (
    "PATH", "LANG", "LANGUAGE", "TERM", "TZ", "HOME", "USER", "LOGNAME", "SHELL", "VIRTUAL_ENV", "CONDA_PREFIX",
    "PYENV_ROOT", "NVM_DIR", "CARGO_HOME", "RUSTUP_HOME", "GOROOT", "GOPATH", "JAVA_HOME", "NODE_PATH", "PYTHONPATH",
    "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONUTF8", "NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "LINES",
    "EDITOR", "PAGER", "SOURCE_DATE_EPOCH",
)  # fmt: skip
_PREFIX_PARTS: Final = ("bin", "sbin", "lib", "lib64", "libexec", "include")
_MANAGERS: Final = (
    ".pyenv",
    ".rustup",
    ".nvm/versions",
    ".local/share/uv/python",
    ".local/share/uv/tools",
    ".local/pipx",
)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment: what programs need to find each other, never a token of the caller's."""
    kept = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT or name.startswith("LC_")}
    kept.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    kept.setdefault("HOME", home())
    return kept | dict(extra or {})


def home() -> str:
    place = os.path.realpath(os.path.expanduser("~"))
    return "" if place == "/" else place


def root_links() -> list[tuple[str, str]]:
    """/bin and its like, where they are links into /usr."""
    return [(place[1:], os.readlink(place)) for place in _SYSTEM if os.path.islink(place)]


def shown(path: Path, readable: Sequence[str | Path] = (), *, python: bool = False) -> list[str]:
    """What to show read-only: the system, interpreters on PATH, the git folder above, what was declared."""
    wanted = [place for place in _SYSTEM if os.path.isdir(place) and not os.path.islink(place)]
    wanted += [os.path.realpath(os.path.expanduser(place)) for place in readable]
    found = [*_interpreters(), *git_above(path)]
    if python:
        found += [entry for entry in sys.path if entry and os.path.exists(entry)]
    configuration = os.path.expanduser("~/.gitconfig")
    found += [configuration] if os.path.isfile(configuration) else []
    wanted += [place for place in found if _harmless(place)]
    return _outermost(place for place in wanted if os.path.exists(place) and place != "/")


def _interpreters() -> Iterator[str]:
    house = home()
    prefixes: set[str] = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        if (
            not os.path.isabs(entry)
            or not os.path.isdir(entry)
            or entry.startswith(("/usr/", "/bin", "/sbin", "/opt/"))
        ):
            continue
        yield os.path.realpath(entry)
        prefixes.add(os.path.dirname(os.path.realpath(entry)))
        for program in ("python3", "python", "node", "ruby", "java", "cargo"):
            target = os.path.realpath(os.path.join(entry, program))
            if os.path.exists(target):
                prefixes.add(os.path.dirname(os.path.dirname(target)))
    for prefix in prefixes:
        manager = next((f"{house}/{name}" for name in _MANAGERS if _within(prefix, f"{house}/{name}")), "")
        if manager:
            yield manager
        elif os.path.isfile(os.path.join(prefix, "pyvenv.cfg")):
            yield prefix
        else:
            yield from (os.path.join(prefix, part) for part in _PREFIX_PARTS)


def git_above(path: Path) -> Iterator[str]:
    """The repository's own folder where `path` lies below its root, or is a work tree of another one."""
    for folder in (path, *path.parents):
        dot = folder / ".git"
        if dot.is_dir():
            if folder != path:
                yield str(dot)
            return
        if dot.is_file():
            if folder != path:
                yield str(dot)
            text = dot.read_text(encoding="utf-8", errors="surrogateescape")
            target = Path(os.path.realpath(folder / text.removeprefix("gitdir:").strip()))
            if target.is_dir() and (target / "HEAD").is_file():
                yield str(target)
                common = target / "commondir"
                if common.is_file():
                    yield os.path.realpath(target / common.read_text(encoding="utf-8").strip())
            return


def _within(place: str, folder: str) -> bool:
    return place == folder or place.startswith(folder.rstrip("/") + "/")


def _harmless(place: str) -> bool:
    """Never the home itself nor what holds it, though a script's own folder be on the search path."""
    real, house = os.path.realpath(place), home()
    private = any(part in (".ssh", ".gnupg", ".aws", ".kube", ".config", "keyrings") for part in Path(real).parts)
    # Nothing that would show the scratch of other programs, or the kernel's own windows.
    special = real in ("/tmp", "/var/tmp", "/var", "/run", "/home", "/root", "/mnt", "/srv") or _within(real, "/proc")
    return real != "/" and not (house and _within(house, real)) and not private and not special


def _outermost(places: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for place in sorted(set(map(os.path.normpath, places)), key=len):
        if not any(_within(place, folder) for folder in kept):
            kept.append(place)
    return kept


def prepare_etc(target: Path) -> list[str]:
    """A copy of the harmless files of /etc: no passwords, no keys, no name server that answers.

    Returns its harmless folders, which are to be shown as they are.
    """
    target.mkdir(parents=True)
    folders: list[str] = []
    for source in (place for name in _ETC for place in sorted(Path("/etc").glob(name))):
        copy = target / source.relative_to("/etc")
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_symlink():
                copy.symlink_to(os.readlink(source))
            elif source.is_dir():
                copy.mkdir()
                folders.append(str(source))
            elif source.is_file():
                shutil.copyfile(source, copy)
        except OSError:
            continue  # what the user cannot read, the command could not either
    (target / "resolv.conf").write_text(_NO_WAY_OUT, encoding="ascii")
    (target / "mtab").symlink_to("/proc/self/mounts")
    return folders
