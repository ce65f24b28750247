"""What servers that keep files, a graph, notes or issues really answer: models that share nothing with what they judge.

Each makes calls at random, from a seed, and says what the right answer to each is.
"""

import copy
import fnmatch
import json
import posixpath
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Right:
    """The right answer: its text, or what has to hold of it."""

    text: str | None = None
    failed: bool = False
    holds: Callable[[str], bool] = lambda text: True


class Wrong(Exception): ...


@dataclass
class Files:
    """A tree of files: names to texts, or to further trees."""

    root: str = "/home/ada"
    tree: dict[str, Any] = field(default_factory=dict[str, Any])
    CHANGES = frozenset({"write_file", "edit_file", "create_directory", "move_file"})

    @classmethod
    def made(cls, rng: random.Random) -> "Files":
        texts = ["alpha\nbeta\ngamma\n", "one", "", "x = 1\n"]
        tree: dict[str, Any] = {
            "docs": {"sub": {"deep.py": rng.choice(texts)}, "a.txt": rng.choice(texts)},
            "empty": {},
        }
        if rng.random() < 0.7:
            tree["readme.md"] = "# Title\n\nhello\n"
        return cls(tree={} if rng.random() < 0.2 else tree)

    def copy(self) -> "Files":
        return Files(root=self.root, tree=copy.deepcopy(self.tree))

    def call(self, rng: random.Random) -> tuple[str, Arguments]:
        folders = [
            self.root,
            *(f"{self.root}/{one}" for one in ("docs", "docs/sub", "empty", "new", "new/er", "moved")),
        ]
        names = ["a.txt", "b.txt", "readme.md", "deep.py", ".hidden"]
        one, other = (f"{rng.choice(folders)}/{rng.choice(names)}" for _ in range(2))
        folder = rng.choice(folders)
        made = rng.choice(["alpha\nbeta\n", "new\n", "", "“ünï” 🙂", '{"content": "x"}', "hello\nhello\n" * 40])
        edit = {"oldText": rng.choice(["alpha", "hello", "new", "x"]), "newText": rng.choice(["ALPHA", "", "1\n2"])}
        left_out = rng.choice([[], ["sub"], ["*.txt"], ["**/*.py"]])
        calls: list[tuple[int, str, Arguments]] = [
            (4, "write_file", {"path": one, "content": made}),
            (2, "edit_file", {"path": one, "edits": [edit], "dryRun": rng.random() < 0.2}),
            (2, "create_directory", {"path": folder if folder != self.root else f"{self.root}/new"}),
            (2, "move_file", {"source": one, "destination": other}),
            (1, "move_file", {"source": rng.choice(folders[1:]), "destination": rng.choice(folders[1:])}),
            (3, "read_text_file", {"path": one}),
            (1, "read_file", {"path": one, rng.choice(["head", "tail"]): rng.randint(1, 3)}),
            (1, "read_multiple_files", {"paths": [one, other]}),
            (2, "list_directory", {"path": folder}),
            (1, "list_directory_with_sizes", {"path": folder, "sortBy": "name"}),
            (1, "directory_tree", {"path": folder, "excludePatterns": left_out}),
            (1, "search_files", {"path": folder, "pattern": rng.choice(["*.txt", "**/*.py", "**", "**/a*"])}),
            (1, "get_file_info", {"path": one}),
        ]
        _, name, arguments = rng.choices(calls, [weight for weight, _, _ in calls])[0]
        return name, arguments

    def answer(self, name: str, given: Arguments) -> Right:
        before = copy.deepcopy(self.tree)
        try:
            return getattr(self, f"_{name}")(**given)
        except Wrong as error:
            self.tree = before
            return Right(text=str(error), failed=True)

    def _at(self, path: str) -> Any:
        found: Any = self.tree
        for part in self._parts(path):
            found = found.get(part) if isinstance(found, dict) else None
            if found is None:
                raise Wrong("ENOENT")
        return found

    def _parts(self, path: str) -> list[str]:
        return [part for part in path.removeprefix(self.root).split("/") if part]

    def _folder_of(self, path: str) -> tuple[dict[str, Any], str]:
        above, name = posixpath.split(path)
        folder = self._at(above)
        if not isinstance(folder, dict):
            raise Wrong("ENOTDIR")
        return folder, name

    def _text(self, path: str) -> str:
        found = self._at(path)
        if isinstance(found, dict):
            raise Wrong("EISDIR")
        return found

    def _members(self, path: str) -> dict[str, Any]:
        found = self._at(path)
        if not isinstance(found, dict):
            raise Wrong("ENOTDIR")
        return dict(sorted(found.items(), key=lambda item: item[0].encode()))

    def _write_file(self, path: str, content: str) -> Right:
        folder, name = self._folder_of(path)
        if isinstance(folder.get(name), dict):
            raise Wrong("EISDIR")
        folder[name] = content
        return Right()

    def _edit_file(self, path: str, edits: list[dict[str, str]], dryRun: bool = False) -> Right:
        text = self._text(path)
        for edit in edits:
            if edit["oldText"] not in text:
                raise Wrong("no match")
            text = text.replace(edit["oldText"], edit["newText"], 1)
        if not dryRun:
            folder, name = self._folder_of(path)
            folder[name] = text
        changed = [line for edit in edits for line in edit["newText"].split("\n") if line]
        return Right(holds=lambda said: "```diff" in said and all(line in said for line in changed))

    def _create_directory(self, path: str) -> Right:
        found = self.tree
        for part in self._parts(path):
            found = found.setdefault(part, {})
            if not isinstance(found, dict):
                raise Wrong("EEXIST")
        return Right()

    def _move_file(self, source: str, destination: str) -> Right:
        moved = self._at(source)
        target, name = self._folder_of(destination)
        if name in target:
            raise Wrong("exists")
        if f"{destination}/".startswith(f"{source}/"):
            raise Wrong("EINVAL")
        folder, old = self._folder_of(source)
        del folder[old]
        target[name] = moved
        return Right()

    def _read_text_file(self, path: str, head: int = 0, tail: int = 0) -> Right:
        text = self._text(path)
        if head:
            text = "\n".join(text.removesuffix("\n").split("\n")[:head]) if text != "\n" else ""
        if tail:
            text = "\n".join(text.split("\n")[-tail:])
        return Right(text=text)

    _read_file = _read_text_file

    def _read_multiple_files(self, paths: list[str]) -> Right:
        wanted: list[str] = []
        for path in paths:
            try:
                wanted.append(f"{path}:\n{self._text(path)}\n")
            except Wrong:
                wanted.append(f"{path}: Error - ")
        return Right(holds=lambda said: all(one in said for one in wanted) and said.count("\n---\n") == len(paths) - 1)

    def _list_directory(self, path: str) -> Right:
        return Right(text="\n".join(f"{_mark(one)} {name}" for name, one in self._members(path).items()))

    def _list_directory_with_sizes(self, path: str, sortBy: str = "name") -> Right:
        members = self._members(path)
        sizes = {name: len(one.encode()) for name, one in members.items() if isinstance(one, str)}
        lines = {
            f"{_mark(one)} {name}" + (f" {_size(sizes[name])}" if name in sizes else "")
            for name, one in members.items()
        }
        total = f"Total: {len(sizes)} files, {len(members) - len(sizes)} directories"

        def holds(said: str) -> bool:
            rows = [" ".join(row.split()) for row in said.split("\n")]
            return set(rows[:-3]) == lines and rows[-2:] == [total, f"Combined size: {_size(sum(sizes.values()))}"]

        return Right(holds=holds)

    def _directory_tree(self, path: str, excludePatterns: list[str] | None = None) -> Right:
        self._members(path)
        return Right(text=json.dumps(self._nodes(path, "", excludePatterns or []), indent=2, ensure_ascii=False))

    def _nodes(self, path: str, near: str, left_out: list[str]) -> list[Any]:
        nodes: list[Any] = []
        for name, one in self._members(path).items():
            inner = posixpath.join(near, name)
            if any(
                _glob(inner, pattern) or ("*" not in pattern and pattern in inner.split("/")) for pattern in left_out
            ):
                continue
            node: dict[str, Any] = {"name": name, "type": "directory" if isinstance(one, dict) else "file"}
            if isinstance(one, dict):
                node["children"] = self._nodes(f"{path}/{name}", inner, left_out)
            nodes.append(node)
        return nodes

    def _search_files(self, path: str, pattern: str) -> Right:
        self._members(path)
        hits = sorted(f"{path}/{near}" for near in self._all(path, "") if _glob(near, pattern))
        return Right(holds=lambda said: sorted(said.split("\n")) == (hits or ["No matches found"]))

    def _all(self, path: str, near: str) -> Iterator[str]:
        for name, one in self._members(path).items():
            inner = posixpath.join(near, name)
            yield inner
            if isinstance(one, dict):
                yield from self._all(f"{path}/{name}", inner)

    def _get_file_info(self, path: str) -> Right:
        found = self._at(path)
        if isinstance(found, dict):
            return Right(holds=lambda said: "isDirectory: true" in said)
        size = f"size: {len(found.encode())}\n"
        return Right(holds=lambda said: said.startswith(size) and "isFile: true" in said)

    def said(self, name: str, given: Arguments) -> tuple[str, bool]:
        """As the server would put it into words, for a world that knows only how things were."""
        found = self._at(given["path"]) if "path" in given and self._exists(given["path"]) else None
        if name == "get_file_info":
            if not isinstance(found, str):
                return ("isDirectory: true", False) if found is not None else ("ENOENT", True)
            return f"size: {len(found.encode())}\nisDirectory: false\nisFile: true", False
        if name == "list_directory_with_sizes" and isinstance(found, dict):
            rows = [
                f"{_mark(one)} {key.ljust(30)} " + (_size(len(one.encode())).rjust(10) if isinstance(one, str) else "")
                for key, one in self._members(given["path"]).items()
            ]
            sizes = [len(one.encode()) for one in self._members(given["path"]).values() if isinstance(one, str)]
            total = f"Total: {len(sizes)} files, {len(rows) - len(sizes)} directories"
            return "\n".join([*rows, "", total, f"Combined size: {_size(sum(sizes))}"]), False
        if name == "search_files" and isinstance(found, dict):
            hits = [f"{given['path']}/{near}" for near in self._all(given["path"], "") if _glob(near, given["pattern"])]
            return "\n".join(hits) or "No matches found", False
        if name == "read_multiple_files":
            parts = [
                f"{path}:\n{self._at(path)}\n"
                if self._exists(path) and isinstance(self._at(path), str)
                else f"{path}: Error - no"
                for path in given["paths"]
            ]
            return "\n---\n".join(parts), False
        right = self.copy().answer(name, given)
        return right.text or "", right.failed

    def _exists(self, path: str) -> bool:
        try:
            self._at(path)
        except Wrong:
            return False
        return True


def _mark(one: Any) -> str:
    return "[DIR]" if isinstance(one, dict) else "[FILE]"


def _size(size: int) -> str:
    return f"{size} B" if size < 1024 else f"{size / 1024:.2f} KB"


def _glob(path: str, pattern: str) -> bool:
    """By its parts: each `**` is any number of them."""
    return _parts_match(path.split("/"), pattern.split("/"))


def _parts_match(parts: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        rest = patterns[1:]
        if not rest:
            return bool(parts)
        return any(_parts_match(parts[skip:], rest) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _parts_match(parts[1:], patterns[1:])


@dataclass
class Graph:
    """Entities and relations."""

    entities: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    relations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    CHANGES = frozenset(
        f"{verb}_{noun}"
        for verb, noun in (
            ("create", "entities"),
            ("create", "relations"),
            ("add", "observations"),
            ("delete", "entities"),
            ("delete", "observations"),
            ("delete", "relations"),
        )
    )
    NAMES = ("Ada", "Bob", "Cleo", "Dan")
    TEXTS = ("likes tea", "plays golf", "writes", "lives in Rome")

    @classmethod
    def made(cls, rng: random.Random) -> "Graph":
        if rng.random() < 0.4:
            return cls()
        ada = {"name": "Ada", "entityType": "person", "observations": ["plays golf"]}
        bob = {"name": "Bob", "entityType": "robot", "observations": list[str]()}
        return cls(entities=[ada, bob], relations=[{"from": "Ada", "to": "Bob", "relationType": "built"}])

    def copy(self) -> "Graph":
        return copy.deepcopy(self)

    def call(self, rng: random.Random) -> tuple[str, Arguments]:
        def texts() -> list[str]:
            return rng.sample(self.TEXTS, rng.randint(0, 3))

        def relation() -> dict[str, str]:
            return {
                "from": rng.choice(self.NAMES),
                "to": rng.choice(self.NAMES),
                "relationType": rng.choice(["built", "knows"]),
            }

        made = [
            {"name": rng.choice(self.NAMES), "entityType": rng.choice(["person", "robot"]), "observations": texts()}
        ]
        name = rng.choice(self.NAMES)
        calls: list[tuple[int, str, Arguments]] = [
            (3, "create_entities", {"entities": made}),
            (2, "create_relations", {"relations": [relation() for _ in range(rng.randint(1, 2))]}),
            (2, "add_observations", {"observations": [{"entityName": name, "contents": texts()}]}),
            (1, "delete_entities", {"entityNames": [name]}),
            (1, "delete_observations", {"deletions": [{"entityName": name, "observations": texts()}]}),
            (1, "delete_relations", {"relations": [relation()]}),
            (2, "read_graph", {}),
            (2, "search_nodes", {"query": rng.choice(["golf", "PERSON", "a", "nobody"])}),
            (2, "open_nodes", {"names": rng.sample(self.NAMES, rng.randint(0, 2))}),
        ]
        _, tool, arguments = rng.choices(calls, [weight for weight, _, _ in calls])[0]
        return tool, arguments

    def answer(self, name: str, given: Arguments) -> Right:
        given = copy.deepcopy(given)
        try:
            found = getattr(self, f"_{name}")(**given)
        except Wrong as error:
            return Right(text=str(error), failed=True)
        return Right() if found is None else Right(holds=lambda said: json.loads(said) == found)

    def said(self, name: str, given: Arguments) -> tuple[str, bool]:
        return json.dumps(getattr(self, f"_{name}")(**given)), False

    def _find(self, name: str) -> dict[str, Any] | None:
        return next((one for one in self.entities if one["name"] == name), None)

    def _create_entities(self, entities: list[dict[str, Any]]) -> Any:
        new = [one for one in entities if self._find(one["name"]) is None]
        self.entities += copy.deepcopy(new)
        return new

    def _create_relations(self, relations: list[dict[str, Any]]) -> Any:
        new = [one for one in relations if one not in self.relations]
        self.relations += copy.deepcopy(new)
        return new

    def _add_observations(self, observations: list[dict[str, Any]]) -> Any:
        told: list[dict[str, Any]] = []
        for one in observations:
            found = self._find(one["entityName"])
            if found is None:
                raise Wrong(f"Entity with name {one['entityName']} not found")
            new = [text for text in one["contents"] if text not in found["observations"]]
            found["observations"] += new
            told.append({"entityName": one["entityName"], "addedObservations": new})
        return told

    def _delete_entities(self, entityNames: list[str]) -> None:
        self.entities = [one for one in self.entities if one["name"] not in entityNames]
        ends = set(entityNames)
        self.relations = [one for one in self.relations if not {one["from"], one["to"]} & ends]

    def _delete_observations(self, deletions: list[dict[str, Any]]) -> None:
        for one in deletions:
            if (found := self._find(one["entityName"])) is not None:
                found["observations"] = [text for text in found["observations"] if text not in one["observations"]]

    def _delete_relations(self, relations: list[dict[str, Any]]) -> None:
        self.relations = [one for one in self.relations if one not in relations]

    def _read_graph(self) -> Any:
        return copy.deepcopy({"entities": self.entities, "relations": self.relations})

    def _shown(self, entities: list[dict[str, Any]]) -> Any:
        names = {one["name"] for one in entities}
        relations = [one for one in self.relations if {one["from"], one["to"]} & names]
        return copy.deepcopy({"entities": entities, "relations": relations})

    def _search_nodes(self, query: str) -> Any:
        query = query.lower()
        found = [
            one
            for one in self.entities
            if any(query in text.lower() for text in (one["name"], one["entityType"], *one["observations"]))
        ]
        return self._shown(found)

    def _open_nodes(self, names: list[str]) -> Any:
        return self._shown([one for one in self.entities if one["name"] in names])


@dataclass
class Notes:
    """Texts by a name, with tools that nobody has heard of before."""

    words: dict[str, str]
    """What its tools are called: put, get, delete, rename, list, and its arguments key, value, old and new."""
    kept: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def CHANGES(self) -> frozenset[str]:
        return frozenset(self.words.get(one, "") for one in ("put", "delete", "rename", "append"))

    def copy(self) -> "Notes":
        return copy.deepcopy(self)

    def call(self, rng: random.Random) -> tuple[str, Arguments]:
        word = self.words
        one, other = rng.choice(["plans", "todo", "ideas 2"]), rng.choice(["todo", "later"])
        calls: list[tuple[str, Arguments]] = [
            (word["put"], {word["key"]: one, word["value"]: rng.choice(["milk", "a\nb\n", "{}", "7"])}),
            (word["put"], {word["key"]: other, word["value"]: rng.choice(["milk", "eggs"])}),
            (word["get"], {word["key"]: one}),
            (word["get"], {word["key"]: other}),
            (word["delete"], {word["key"]: one}),
        ]
        if "list" in word:
            calls.append((word["list"], {}))
        if "rename" in word:
            calls.append((word["rename"], {word["old"]: one, word["new"]: other}))
        if "append" in word:
            calls.append((word["append"], {word["key"]: one, word["value"]: "+more"}))
        return rng.choice(calls)

    def answer(self, name: str, given: Arguments) -> Right:
        word = self.words
        key = given.get(word["key"], "")
        if name == word["put"]:
            self.kept[key] = given[word["value"]]
        elif name == word.get("append"):
            self.kept[key] = self.kept.get(key, "") + given[word["value"]]
        elif name == word["delete"]:
            self.kept.pop(key, None)
        elif name == word.get("rename"):
            old, new = given[word["old"]], given[word["new"]]
            if old not in self.kept:
                return Right(failed=True)
            self.kept[new] = self.kept.pop(old)
        elif name == word["get"]:
            return Right(text=self.kept[key]) if key in self.kept else Right(failed=True)
        else:
            names = list(self.kept)
            return Right(holds=lambda said: sorted(re.split(r"\n", said) if said else []) == sorted(names))
        return Right()

    def said(self, name: str, given: Arguments) -> tuple[str, bool]:
        if name == self.words.get("list"):
            return "\n".join(self.kept), False
        key = given.get(self.words["key"], "")
        return (self.kept[key], False) if key in self.kept else (f"{key}: nothing of this name", True)


@dataclass
class Issues:
    """Records to which the server gives their numbers."""

    kept: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    last: int = 0
    """The number that was given last: none is given twice."""
    CHANGES = frozenset(("create_issue", "update_issue", "delete_issue"))

    @classmethod
    def made(cls, rng: random.Random) -> "Issues":
        return cls()

    def copy(self) -> "Issues":
        return copy.deepcopy(self)

    def call(self, rng: random.Random) -> tuple[str, Arguments]:
        number = rng.choice([*self.kept, 1]) if self.kept else 1
        calls: list[tuple[str, Arguments]] = [
            ("create_issue", {"title": rng.choice(["Broken", "Slow"]), "body": rng.choice(["It fails.", ""])}),
            ("get_issue", {"issue_number": number}),
            ("update_issue", {"issue_number": number, "state": rng.choice(["open", "closed"])}),
            ("delete_issue", {"issue_number": number}),
            ("list_issues", {}),
        ]
        # Only what was made here is known: nobody says what else there is.
        return rng.choice(calls if number in self.kept else [calls[0], calls[0], calls[4]])

    def answer(self, name: str, given: Arguments) -> Right:
        number = given.get("issue_number", 0)
        if name == "create_issue":
            self.last = number = self.last + 1
            self.kept[number] = dict(given)
            return Right(holds=lambda said: _has(json.loads(said), {"number": number, **given}))
        if name == "list_issues":
            wanted = [{"number": one, **fields} for one, fields in self.kept.items()]
            return Right(holds=lambda said: _rows(said, wanted))
        if number not in self.kept:
            return Right(failed=True)
        if name == "get_issue":
            wanted_fields = {"number": number, **self.kept[number]}
            return Right(holds=lambda said: _has(json.loads(said), wanted_fields))
        if name == "update_issue":
            self.kept[number].update({key: value for key, value in given.items() if key != "issue_number"})
        else:
            del self.kept[number]
        return Right()

    def said(self, name: str, given: Arguments) -> tuple[str, bool]:
        return "[]" if name == "list_issues" else "no such issue", name != "list_issues"


def _has(said: Any, wanted: dict[str, Any]) -> bool:
    return isinstance(said, dict) and all(said.get(key) == value for key, value in wanted.items())


def _rows(said: str, wanted: list[dict[str, Any]]) -> bool:
    rows = json.loads(said) if said else []
    return len(rows) == len(wanted) and all(any(_has(row, one) for row in rows) for one in wanted)
