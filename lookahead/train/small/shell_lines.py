"""Command lines that an agent might send to a shell, made up for what is there: sensible ones, and some that fail."""

import posixpath
from collections.abc import Callable
from typing import Final, TypeAlias

from lookahead.train.small.foreign_lines import foreign
from lookahead.train.small.words import Words
from lookahead.train.small.wrong_lines import wrong
from lookahead.worlds.embedded.paths import content
from lookahead.worlds.embedded.scene import ASIDE, Scene

Line: TypeAlias = tuple[str, str]
"""Which kind of command, and the command line."""
Make: TypeAlias = Callable[[], str]

WRONG: Final = 0.11
"""How often a line means something that is not there."""
HARD: Final = frozenset(
    ("mv dir", "mv two", "mv into", "cp over", "cp -r", "rm two", "truncate", "head | tail", "ls *", "rm *", "grep -r")
)
"""Lines whose end hangs on where a path leads: rare, and what a small model gets wrong first."""
HARDER: Final = 5.0
"""How much more of them there is where the hard ones are to be learned."""
FOREIGN: Final = 0.05
"""How often a line is none of this world: its answer does not follow from the files that are there."""


class Lines:
    """Makes up lines for one scene."""

    def __init__(self, scene: Scene, words: Words, *, hard: bool = False) -> None:
        self.scene, self.words, self.random, self.hard = scene, words, words.random, hard
        names = [name for name in scene.facts if not name.startswith(ASIDE)]
        self.directories = [self._near(name[:-1]) for name in names if name.endswith("/")]
        self.links = [self._near(name) for name in names if scene.facts[name].startswith(">")]
        self.files = [
            self._near(name) for name in names if not name.endswith("/") and self._near(name) not in self.links
        ]
        self.directories = [name for name in self.directories if name != "."]
        self.git = f"{ASIDE}head" in scene.facts
        self.size = len(names)

    def _near(self, name: str) -> str:
        """As somebody types it who stands in the working directory."""
        return posixpath.relpath(name, self.scene.here) if self.scene.here else name

    def pick(self) -> Line:
        chance = self.random.random()
        if chance < FOREIGN:
            return "foreign", foreign(self.random, self.words, self.files)
        if chance < FOREIGN + WRONG:
            return wrong(self.words, self.missing())
        table = self._table()
        weights = [weight * (HARDER if self.hard and kind in HARD else 1) for weight, kind, _ in table]
        kind, make = self.random.choices([(kind, make) for _, kind, make in table], weights)[0]
        return kind, make()

    # what is there

    def file(self) -> str:
        near = [name for name in self.files if "/" not in name]
        name = self.random.choice(near if near and self.random.random() < 0.5 else self.files)
        return self._typed(name)

    def directory(self) -> str:
        return self._typed(self.random.choice(self.directories))

    def _typed(self, name: str) -> str:
        chance = self.random.random()
        if chance < 0.05 and not name.startswith("."):
            return f"./{name}"
        if chance < 0.08:
            return f"{self.scene.root}/{posixpath.normpath(posixpath.join(self.scene.here, name))}"
        return name

    def new_file(self) -> str:
        return self._somewhere(self.words.file())

    def new_directory(self) -> str:
        return self._somewhere(self.words.name())

    def _somewhere(self, name: str) -> str:
        if self.directories and self.random.random() < 0.3:
            return f"{self.directory()}/{name}"
        return name

    def missing(self) -> str:
        """A name that is not there; often one that nearly is."""
        chance = self.random.random()
        if self.files and chance < 0.35:
            name = self.random.choice(self.files)
            return self.random.choice(
                [name[:-1] or "x", name + self.random.choice(["s", "1", ".bak"]), name.swapcase()]
            )
        if self.directories and chance < 0.55:
            return f"{self.random.choice(self.directories)}/{self.words.file()}"
        if chance < 0.65:
            return f"{self.words.name()}/{self.words.file()}"
        return self.words.file()

    def within(self, path: str) -> str:
        """A word of a file, or one that is likely not in it."""
        name = posixpath.normpath(posixpath.join(self.scene.here, path))
        text = content(self.scene, name) if name in self.scene.facts and name not in self.links else ""
        found = [word for word in text.replace(",", " ").replace("=", " ").split() if word.isalnum()]
        return self.random.choice(found) if found and self.random.random() < 0.8 else self.words.word()

    def pattern(self) -> str:
        endings = [posixpath.splitext(name)[1] for name in self.files]
        return "*" + (self.random.choice(endings) if endings and self.random.random() < 0.8 else ".txt")

    def quoted(self, text: str) -> str:
        if " " not in text and text.isalnum() and self.random.random() < 0.3:
            return text
        return f"'{text}'" if self.random.random() < 0.4 else f'"{text}"'

    def count(self) -> str:
        """`-n 3`, or as the lazy type it."""
        number = self.random.randint(1, 4)
        return self.random.choice([f"-n {number}", f"-n {number}", f"-{number}", f"-n{number}"])

    # the lines

    def _table(self) -> list[tuple[float, str, Make]]:
        grow = max(0.3, 1.7 - self.size * 0.11)
        table: list[tuple[float, str, Make]] = [*self._making(grow), *self._looking()]
        if self.directories:
            table += self._with_directories()
        if self.files:
            table += [*self._reading(), *self._changing(), *self._piping()]
        if self.links:
            table += self._with_links()
        if self.scene.here:
            table += [
                (5, "cd", lambda: self._one_of("cd ..", "cd ..", "cd", "cd ~", "cd ../..", "cd -P ..")),
                (1, "ls", lambda: "ls .."),
            ]
        if self.git:
            table += self._with_git()
        return table

    def _either(self) -> str:
        return f"&& echo {self.words.word()} || echo {self.words.word()}"

    def _one_of(self, *lines: str) -> str:
        return self.random.choice(lines)

    def _making(self, grow: float) -> list[tuple[float, str, Make]]:
        words = self.words
        return [
            (5 * grow, "mkdir", lambda: f"mkdir {self.new_directory()}"),
            (1.5 * grow, "mkdir", lambda: f"mkdir {words.name()} {words.name()}"),
            (
                3 * grow,
                "mkdir -p",
                lambda: f"mkdir -p {'/'.join(words.name() for _ in range(self.random.randint(1, 3)))}",
            ),
            (
                4 * grow,
                "touch",
                lambda: f"touch {' '.join(self.new_file() for _ in range(self.random.choice([1, 1, 2, 3])))}",
            ),
            (8 * grow, "echo >", lambda: f"echo {self.quoted(words.text())} > {self.new_file()}"),
            (4 * grow, "printf >", lambda: f"printf '{self._printed()}' > {self.new_file()}"),
            (2 * grow, "heredoc", lambda: self._heredoc(self.new_file())),
            (1 * grow, "tee", lambda: f"echo {self.quoted(words.text())} | tee {self.new_file()}"),
            (
                1 * grow,
                "echo > &&",
                lambda: (
                    f"mkdir -p {(made := words.name())} && echo {self.quoted(words.text(1, 3))} > {made}/{words.file()}"
                ),
            ),
            (1, "echo", lambda: f"echo {self.quoted(words.text())}"),
            (0.5, "true", lambda: self._one_of("true", "false", "exit 3", "test -z ''", "[ 1 -eq 2 ]")),
        ]

    def _printed(self) -> str:
        end = r"\n" if self.random.random() < 0.85 else ""
        return r"\n".join(line.replace("%", "") for line in self.words.lines(1, 4)) + end

    def _heredoc(self, path: str) -> str:
        mark = self.random.choice(["EOF", "'EOF'", "END"])
        body = "\n".join(self.words.lines(1, 4))
        return f"cat {self.random.choice(['>', '>', '>>'])} {path} <<{mark}\n{body}\n{mark.strip(chr(39))}"

    def _looking(self) -> list[tuple[float, str, Make]]:
        return [
            (2, "pwd", lambda: "pwd"),
            (7, "ls", lambda: self._one_of("ls", "ls", "ls -1", "ls .")),
            (2, "ls -a", lambda: self._one_of("ls -a", "ls -A", "ls -1A")),
            (1.5, "ls -F", lambda: self._one_of("ls -F", "ls -p")),
            (2, "find", lambda: self._one_of("find . | sort", "find . -type f | sort", "find . -type d | sort")),
            (1.5, "find -name", lambda: f"find . -name {self.quoted(self.pattern())} | sort"),
            (1, "ls *", lambda: f"ls {self.pattern()}"),
            (1, "grep -r", lambda: f"grep -{self._one_of('r', 'rn', 'rl')} {self.words.word()} . | sort"),
            (0.7, "find | wc", lambda: self._one_of("ls | wc -l", "find . -type f | wc -l", "ls -A | wc -l")),
        ]

    def _with_directories(self) -> list[tuple[float, str, Make]]:
        words = self.words
        return [
            (
                4,
                "ls",
                lambda: (
                    f"ls {self._one_of('', '', '-a ', '-F ', '-1 ', '-A ')}{self.directory()}{self._one_of('', '/')}"
                ),
            ),
            (6, "cd", lambda: f"cd {self.directory()}"),
            (
                2,
                "cd &&",
                lambda: (
                    f"cd {self.directory()} && "
                    + self._one_of(
                        "ls", "pwd", "ls -A", f"touch {words.file()}", f"echo {words.word()} > {words.file()}"
                    )
                ),
            ),
            (1.5, "rmdir", lambda: f"rmdir {self.directory()}"),
            (2.5, "rm -r", lambda: f"rm {self._one_of('-r', '-rf', '-fr', '-R')} {self.directory()}"),
            (1.5, "cp -r", lambda: f"cp {self._one_of('-r', '-R', '-a')} {self.directory()} {self.new_directory()}"),
            (1.5, "mv dir", lambda: f"mv {self.directory()} {self._one_of(self.new_directory(), self.directory())}"),
            (0.7, "rm", lambda: f"rm {self.directory()}"),
            (0.6, "cat", lambda: f"cat {self.directory()}"),
            (0.6, "mkdir", lambda: f"mkdir {self.directory()}"),
            (1, "find", lambda: f"find {self.directory()} {self._one_of('', '-type f ', '-type d ')}| sort"),
            (
                0.7,
                "test",
                lambda: f"test -d {self._one_of(self.directory(), words.name())} {self._either()}",
            ),
            (0.5, "stat", lambda: f"stat -c %a {self.directory()}"),
            (0.5, "realpath", lambda: f"realpath {self.directory()}"),
        ]

    def _reading(self) -> list[tuple[float, str, Make]]:
        words = self.words
        return [
            (8, "cat", lambda: f"cat {self.file()}"),
            (1, "cat", lambda: f"cat {self.file()} {self.file()}"),
            (1, "cat *", lambda: f"cat {self.pattern()}"),
            (2, "head", lambda: f"head {self.count()} {self.file()}"),
            (2, "tail", lambda: f"tail {self.count()} {self.file()}"),
            (2.5, "wc", lambda: f"wc -{self._one_of('l', 'w', 'c')} {self._one_of('', '< ')}{self.file()}"),
            (
                4,
                "grep",
                lambda: (
                    f"grep {self._one_of('', '', '-n ', '-c ', '-v ', '-i ')}"
                    f"{self.quoted(self.within(path := self.file()))} {path}"
                ),
            ),
            (
                1,
                "grep -q",
                lambda: (
                    f"grep -q {self.within(path := self.file())} {path} && echo {words.word()} || echo {words.word()}"
                ),
            ),
            (2, "sort", lambda: f"sort {self._one_of('', '', '-r ', '-n ', '-u ')}{self.file()}"),
            (1.5, "sed -n", lambda: f"sed -n '{self._one_of('1p', '2p', '3p', '1,2p', '2,3p')}' {self.file()}"),
            (
                1.5,
                "sed",
                lambda: f"sed 's/{self.within(path := self.file())}/{words.word()}/{self._one_of('', 'g')}' {path}",
            ),
            (1, "cut", lambda: f"cut -d{self._one_of(',', '=')} -f{self.random.randint(1, 3)} {self.file()}"),
            (1, "awk", lambda: f"awk '{{print ${self.random.randint(1, 3)}}}' {self.file()}"),
            (0.7, "tac", lambda: f"{self._one_of('tac', 'rev', 'uniq')} {self.file()}"),
            (2, "stat", lambda: f"stat -c %{self._one_of('a', 's')} {self.file()}"),
            (
                1.5,
                "test",
                lambda: (
                    f"test -{self._one_of('f', 'e', 's')} {self._one_of(self.file(), self.missing())} {self._either()}"
                ),
            ),
            (1, "test", lambda: f"[ -f {self._one_of(self.file(), self.missing())} ] && echo yes"),
            (0.6, "basename", lambda: f"{self._one_of('basename', 'dirname', 'realpath')} {self.file()}"),
            (0.8, "cmp", lambda: f"cmp -s {self.file()} {self.file()} && echo same || echo different"),
        ]

    def _changing(self) -> list[tuple[float, str, Make]]:
        words = self.words
        return [
            (4, "echo >>", lambda: f"echo {self.quoted(words.text())} >> {self.file()}"),
            (1.5, "echo >", lambda: f"echo {self.quoted(words.text())} > {self.file()}"),
            (4, "cp", lambda: f"cp {self.file()} {self.new_file()}"),
            (1.2, "cp over", lambda: f"cp {self.file()} {self._one_of(self.file(), *self.directories)}"),
            (4, "mv", lambda: f"mv {self.file()} {self.new_file()}"),
            (1.5, "mv into", lambda: f"mv {self.file()} {self._one_of(self.file(), *self.directories)}"),
            (
                1,
                "mv two",
                lambda: (
                    f"{self._one_of('mv', 'cp')} {self.file()} {self.file()} {self._one_of(*self.directories or ['.'])}"
                ),
            ),
            (4, "rm", lambda: f"rm {self._one_of('', '', '-f ')}{self.file()}"),
            (0.8, "rm two", lambda: f"rm {self.file()} {self.file()}"),
            (1, "rm *", lambda: f"rm {self._one_of('', '-f ')}{self.pattern()}"),
            (2, "chmod", lambda: f"chmod {self._one_of('600', '644', '755', '700', '+x', 'a-w', 'u+x')} {self.file()}"),
            (1.5, "ln -s", lambda: f"ln -s {self.random.choice(self.files)} {words.file()}"),
            (
                2.5,
                "sed -i",
                lambda: f"sed -i 's/{self.within(path := self.file())}/{words.word()}/{self._one_of('', 'g')}' {path}",
            ),
            (1, "sed -i d", lambda: f"sed -i '{self.random.randint(1, 3)}d' {self.file()}"),
            (1.5, "sort >", lambda: f"sort {self._one_of('', '-r ')}{self.file()} > {self.new_file()}"),
            (1, "grep >", lambda: f"grep {self.within(path := self.file())} {path} > {self.new_file()}"),
            (1, "cat >", lambda: f"cat {self.file()} {self.file()} > {self.new_file()}"),
            (1, "cat >>", lambda: f"cat {self.file()} >> {self.file()}"),
            (0.6, "truncate", lambda: f"{self._one_of(': >', '>', 'truncate -s 0')} {self.file()}"),
            (0.8, "rm || ", lambda: f"rm {self._one_of(self.file(), self.missing())} || echo {words.word()}"),
            (0.8, "cp &&", lambda: f"cp {(path := self.file())} {path}.bak && echo {words.word()} >> {path}"),
            (0.8, "touch", lambda: f"touch {self.file()}"),
        ]

    def _piping(self) -> list[tuple[float, str, Make]]:
        return [
            (
                1.2,
                "cat | sort",
                lambda: (
                    f"cat {self.file()} | sort{self._one_of('', ' -r', ' -u')}"
                    f"{self._one_of('', f' | head {self.count()}', ' | uniq', ' | wc -l')}"
                ),
            ),
            (1, "grep | wc", lambda: f"grep {self.within(path := self.file())} {path} | wc -l"),
            (1, "sort | head", lambda: f"sort {self.file()} | {self._one_of('head', 'tail')} {self.count()}"),
            (
                1,
                "cat | wc",
                lambda: f"cat {self.file()} | {self._one_of('wc -l', 'wc -w', 'wc -c', 'tac', 'rev', 'tr a-z A-Z')}",
            ),
            (0.6, "sort | uniq", lambda: f"sort {self.file()} | uniq{self._one_of('', ' -c')}"),
            (0.8, "cut | sort", lambda: f"cut -d{self._one_of(',', '=')} -f1 {self.file()} | sort"),
            (0.6, "head | tail", lambda: f"head {self.count()} {self.file()} | tail -n 1"),
        ]

    def _with_links(self) -> list[tuple[float, str, Make]]:
        link = lambda: self.random.choice(self.links)  # noqa: E731
        return [
            (2, "readlink", lambda: f"readlink {link()}"),
            (2, "cat", lambda: f"cat {link()}"),
            (0.7, "rm", lambda: f"rm {link()}"),
            (0.7, "echo >>", lambda: f"echo {self.words.word()} >> {link()}"),
        ]

    def _with_git(self) -> list[tuple[float, str, Make]]:
        words = self.words
        table: list[tuple[float, str, Make]] = [
            (4, "git status", lambda: self._one_of("git status --short", "git status -s", "git status --porcelain")),
            (
                4,
                "git add",
                lambda: self._one_of("git add .", "git add -A", f"git add {self.file() if self.files else '.'}"),
            ),
            (4, "git commit", lambda: f"git commit {self._one_of('-qm', '-q -m')} {self.quoted(words.text(1, 3))}"),
            (2, "git commit", lambda: f"git add -A && git commit -qm {self.quoted(words.text(1, 3))}"),
            (1.5, "git log", lambda: "git log --format=%s"),
            (1.5, "git branch", lambda: self._one_of("git branch --show-current", "git ls-files")),
            (1, "git checkout -b", lambda: f"git checkout -q -b {words.name()}"),
        ]
        if self.files:
            table += [
                (1, "git rm", lambda: f"git rm -q {self.file()}"),
                (1, "git mv", lambda: f"git mv {self.file()} {words.file()}"),
                (1, "git reset", lambda: f"git reset -q {self._one_of('', self.file())}".strip()),
            ]
        return table
