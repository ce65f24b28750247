"""What kind of place a path is: the root of everything, a secret, something a build makes again, one's own folder."""

import fnmatch
import posixpath
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from lookahead.critics.nameset import nameset

UNKNOWN: Final = "\ue000"
"""Stands in a word for what only the run will know, and what may be empty."""
SOMETHING: Final = "\ue001"
"""Stands in a word for what only the run will know, but what cannot be empty."""

Kind: TypeAlias = Literal[
    "root", "system", "home", "device", "sink", "everything", "protected", "cache", "build", "temporary", "inside",
    "shared", "elsewhere", "unknown", "root-if-empty",
]  # fmt: skip

PROTECTED: Final = (
    ".git", ".git/**", ".hg", ".svn", ".lookahead", ".lookahead/**", "lookahead.toml",
    ".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "*.jks",
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".ssh", ".ssh/**", ".gnupg", ".gnupg/**", ".aws", ".aws/**",
    ".kube", ".kube/**", ".config/gcloud/**", ".docker/config.json", ".netrc", ".pgpass", ".npmrc", ".pypirc",
    ".git-credentials", "credentials", "credentials.*", "secrets", "secrets.*", "secrets/**", "*.bak", "*.backup",
    "backup", "backups", "backup/**", "backups/**", "*backup*.sql", "*.dump", "*.sql.gz", "*.tfstate",
)  # fmt: skip
"""Paths whose loss or reading is worse than that of others."""

_SECRET: Final = (
    ".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "*.jks", "id_rsa", "id_dsa", "id_ecdsa",
    "id_ed25519", ".ssh", ".gnupg", ".aws", ".kube", ".netrc", ".pgpass", ".npmrc", ".pypirc", ".git-credentials",
    "credentials", "credentials.*", "secrets", "secrets.*", "shadow", "gshadow", "sudoers", "*.tfstate", ".vault-token",
    ".bash_history", ".zsh_history", "environ", "Login Data", "cookies.sqlite", "wallet.dat",
)  # fmt: skip
_EXAMPLES: Final = (
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    "id_*.pub",
    "*.pub",
    "secrets.example*",
)
_CACHES: Final = (
    "node_modules", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nox", ".parcel-cache",
    ".turbo", ".next", ".nuxt", ".gradle", ".eggs", "*.egg-info", "htmlcov", ".coverage", ".coverage.*", ".hypothesis",
    ".cache", ".ipynb_checkpoints", ".sass-cache", ".DS_Store", "*.pyc", "*.pyo", "*.o", "*.obj", "*.class", "*.tmp",
    "*.swp", "*~", "Thumbs.db", ".terraform", "bower_components", ".svelte-kit", ".angular", "*.tsbuildinfo",
)  # fmt: skip
_BUILDS: Final = (
    "build", "dist", "target", "out", "coverage", "_build", "cmake-build-*", "DerivedData", "site", ".venv", "venv",
    "*.log", "logs", "tmp", "temp",
)  # fmt: skip
_SYSTEM: Final = nameset(
    "bin boot dev etc lib lib32 lib64 libx32 opt proc root run sbin srv sys usr var home Users System Library"
    " Applications Volumes Windows"
)
_SINKS: Final = frozenset(
    ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/tty", "/dev/zero", "/dev/full")
)
_RUN_BY_SYSTEM: Final = re.compile(
    r"(^|/)(authorized_keys2?|rc\.local|crontab|sudoers|ld\.so\.preload)$"
    r"|(^|/)(cron\.(d|daily|hourly|weekly)|cron/crontabs|sudoers\.d|systemd/(system|user)|init\.d|LaunchAgents|LaunchDaemons)/"
)
_RUN_BY_USER: Final = re.compile(
    r"(^|/)(\.(bashrc|bash_profile|bash_login|profile|zshrc|zshenv|zprofile|kshrc|cshrc|inputrc|vimrc|xinitrc)"
    r"|\.git/hooks/(?!.*\.sample$)[^/]+)$|(^|/)(autostart|profile\.d)/"
)
_SCRATCH: Final = re.compile(
    r"tmp(\.[A-Za-z0-9]{6,12}|[a-z0-9_]{8})?|pytest-of-[\w.-]+|pip-[\w-]+|npm-\d[\w-]*|scratch([-_.].*)?"
)
"""Names that are made up for a while and for one user, by mktemp and its like, or that say that nobody will miss it."""
_SHARED: Final = re.compile(r"/(?:private/)?(?:var/)?tmp/(.+)")
_ALL_OF_IT: Final = nameset("* ** .* *.* ?* [!.]* .[!.]* .??* .[^.]* */ **/* */*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """Where the work is: the folder that the agent was given, and what in it is precious."""

    root: str | None = None
    protected: tuple[str, ...] = PROTECTED
    scratch: frozenset[str] = frozenset()
    """What the session has made for itself where all put what they need for a while."""


@dataclass(frozen=True, slots=True)
class Place:
    kind: Kind
    path: str
    """Resolved as far as it could be."""
    local: bool = field(default=True, kw_only=True)
    """Whether a copy of the root shows what happens to it."""

    @property
    def shown(self) -> str:
        return self.path.replace(UNKNOWN, "$…").replace(SOMETHING, "$…")


def place(path: str, *, glob: bool = True, cwd: str = "", ground: Ground) -> Place:
    """Say what kind of place a path names, read from the working directory `cwd` (empty: the root itself)."""
    return _place(path, glob, cwd, ground)


@lru_cache(maxsize=32_768)
def _place(path: str, glob: bool, cwd: str, ground: Ground) -> Place:
    path = path.replace("\\", "/") if re.match(r"^[A-Za-z]:[\\/]", path) else path
    if re.fullmatch(r"[A-Za-z]:[\\/]*\*?", path):
        return Place("root", path, local=False)
    if path.startswith("~"):
        return _home(path, ground)
    if UNKNOWN in path or SOMETHING in path:
        return _unknown(path)
    joined = path if path.startswith("/") else posixpath.join(cwd, path) if cwd else path
    if UNKNOWN in joined or SOMETHING in joined:
        return Place("everything" if _names_all(path, glob) else "unknown", joined, local=False)
    if joined.startswith("~"):
        return _home(joined, ground)
    if not joined.startswith("/") and ground.root is not None:
        joined = posixpath.join(ground.root, joined)
    head, all_of_it = _without_star(joined, glob)
    full = posixpath.normpath(head) if head else "."
    full = "/" + full.lstrip("/") if full.startswith("/") else full
    inside = _inside(full, ground)
    if inside is None:
        return _abroad(full, ground.scratch)
    if inside == ".":
        return Place("everything", path)
    if inside == ".." or inside.startswith("../"):
        return Place("root" if re.fullmatch(r"[./]+", inside) else "elsewhere", path, local=False)
    return Place(_by_name(inside, ground), inside + ("/*" if all_of_it else ""))


def _home(path: str, ground: Ground) -> Place:
    head, _ = _without_star(path, True)
    rest = head.partition("/")[2].strip("/")
    if rest in ("", ".") or rest.startswith(".."):
        return Place("home", path, local=False)
    kind = _by_name(rest, ground)
    return Place(kind if kind in ("protected", "cache") else "elsewhere", path, local=False)


def _unknown(path: str) -> Place:
    bare = path.replace(UNKNOWN, "")
    if SOMETHING not in path and path.startswith(UNKNOWN) and "/" in bare and not bare.strip("/*."):
        return Place("root-if-empty", path, local=False)
    if SOMETHING not in path and path.startswith(UNKNOWN) and bare.startswith("/"):
        abroad = _abroad(posixpath.normpath("/" + bare.lstrip("/")))
        if abroad.kind in ("root", "system"):
            return Place("root-if-empty", path, local=False)
    return Place("unknown", path, local=not path.startswith((UNKNOWN, SOMETHING)) and ".." not in path)


def _abroad(full: str, scratch: frozenset[str] = frozenset()) -> Place:
    parts = full.strip("/").split("/")
    if full in _SINKS or full.startswith("/dev/fd/"):
        return Place("sink", full)
    if full == "/" or (any(character in "*?[" for character in parts[0]) and len(parts) == 1):
        return Place("root", full, local=False)
    if parts[0] == "dev":
        return Place("temporary" if full.startswith("/dev/shm/") else "device", full, local=False)
    if parts[0] in ("home", "Users") and len(parts) == 2:
        return Place("home", full, local=False)
    if full in ("/tmp", "/var/tmp", "/private/tmp", "/private/var/tmp"):
        return Place("build", full, local=False)  # others keep things there too
    if shared := _SHARED.fullmatch(full):
        own = _SCRATCH.fullmatch(shared[1].split("/")[0]) or any(_within(full, made) for made in scratch)
        return Place("temporary" if own else "shared", full, local=False)
    if full.startswith("/var/folders/"):
        return Place("temporary", full, local=False)
    if parts[0] in _SYSTEM and (parts[0] not in ("home", "Users", "srv", "opt", "root", "Volumes") or len(parts) == 1):
        return Place("system", full, local=False)
    kind = _by_name(full.strip("/"), Ground())
    return Place(kind if kind in ("protected", "cache", "build") else "elsewhere", full, local=False)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _inside(full: str, ground: Ground) -> str | None:
    """The path seen from the root; None when it is absolute and not in it, or when nobody knows where the root is."""
    if not full.startswith("/"):
        return full
    if ground.root is None:
        return None
    root = posixpath.normpath(ground.root)
    if full == root:
        return "."
    return full[len(root.rstrip("/")) + 1 :] if full.startswith(root.rstrip("/") + "/") else None


def _without_star(path: str, glob: bool) -> tuple[str, bool]:
    """`src/*` is all of `src`, `*` is all of here."""
    head, slash, tail = path.rstrip("/").rpartition("/")
    if glob and tail in _ALL_OF_IT:
        return (head or slash), True
    return path, False


def _names_all(path: str, glob: bool) -> bool:
    return glob and path.strip("/").rpartition("/")[2] in _ALL_OF_IT


def _by_name(inside: str, ground: Ground) -> Kind:
    parts = inside.split("/")
    if is_protected(inside, ground.protected):
        return "protected"
    if any(_any(part, _CACHES) for part in parts):
        return "cache"
    return "build" if any(_any(part, _BUILDS) for part in parts) else "inside"


@lru_cache(maxsize=64)
def _pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns) or r"(?!)")


def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return _pattern(patterns).match(name) is not None


def is_protected(path: str, protected: tuple[str, ...]) -> bool:
    """Whether a pattern names the path, its last part, or a folder that it lies in."""
    parts = path.strip("/").split("/")
    if _any(parts[-1], _EXAMPLES):
        return False
    tails = ("/".join(parts[start:]) for start in range(len(parts)))
    return any(_any(tail, protected) for tail in tails) or any(_any(part, protected) for part in parts)


def is_secret(path: str) -> bool:
    """Whether reading it gives somebody a key."""
    parts = path.rstrip("/*").split("/")
    if _any(parts[-1], _EXAMPLES) or (parts[-1] in ("known_hosts", "config") and "aws" not in path):
        return False
    return any(_any(part, _SECRET) for part in parts) or any(map(_may_be_secret, path.split("/")))


@lru_cache(maxsize=4096)
def _may_be_secret(part: str) -> bool:
    """A pattern that says enough of a secret's name to be meant for it: `shad*`."""
    if not re.search(r"[*?\[]", part) or len(re.sub(r"\[[^\]]*\]|[*?]", "", part).strip(".")) < 3:
        return False
    return any(fnmatch.fnmatchcase(name, part) for name in _SECRET if "*" not in name)


def runs_later(path: str) -> Literal["system", "user", ""]:
    """Whether what is written there is run later, unasked: by the system, or whenever its user does something."""
    return "system" if _RUN_BY_SYSTEM.search(path) else "user" if _RUN_BY_USER.search(path) else ""
