"""Tools shaped as those of well-known servers that keep files, and that keep a graph of what they were told."""

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}


def _object(required: str = "", /, **properties: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": required.split()}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def tool(name: str, description: str, given: Schema, output: Schema | None = None, **hints: bool) -> Schema:
    listed: Schema = {"name": name, "description": description, "inputSchema": given, "annotations": hints}
    return listed if output is None else {**listed, "outputSchema": output}


_SAID = _object("content", content=TEXT)
_PATH = _object("path", path=TEXT)
_READ = _object("path", path=TEXT, head={"type": "number"}, tail={"type": "number"})
_EDITS = _list(_object("oldText newText", oldText=TEXT, newText=TEXT))
_LEFT_OUT: Schema = {**_list(TEXT), "default": []}
_BLOCK = {
    "anyOf": [
        _object("type data mimeType", type={"enum": ["image", "audio"]}, data=TEXT, mimeType=TEXT),
        _object("type resource", type={"const": "resource"}, resource=_object("uri blob", uri=TEXT, blob=TEXT)),
    ]
}

FILES: list[Schema] = [
    tool("read_file", "Reads a file. Superseded by read_text_file.", _READ, _SAID, readOnlyHint=True),
    tool("read_text_file", "Reads a file, or its first or last lines.", _READ, _SAID, readOnlyHint=True),
    tool("read_media_file", "Reads a picture or a sound.", _PATH, _object("content", content=_list(_BLOCK))),
    tool(
        "read_multiple_files",
        "Reads several files at once.",
        _object("paths", paths={**_list(TEXT), "minItems": 1}),
        _SAID,
    ),
    tool("write_file", "Writes a file anew.", _object("path content", path=TEXT, content=TEXT), _SAID),
    tool(
        "edit_file",
        "Replaces parts of a file. Answers with a diff in the manner of git.",
        _object("path edits", path=TEXT, edits=_EDITS, dryRun={"type": "boolean", "default": False}),
        _SAID,
    ),
    tool("create_directory", "Makes a directory, unless it exists.", _PATH, _SAID, destructiveHint=False),
    tool("list_directory", "Members of a directory, behind [FILE] or [DIR].", _PATH, _SAID),
    tool(
        "list_directory_with_sizes",
        "Members of a directory, behind [FILE] or [DIR], with their sizes.",
        _object("path", path=TEXT, sortBy={"enum": ["name", "size"], "default": "name"}),
        _SAID,
    ),
    tool(
        "directory_tree",
        "All below a directory, as JSON: name, type, and the children of directories.",
        _object("path", path=TEXT, excludePatterns=_LEFT_OUT),
        _SAID,
    ),
    tool(
        "move_file",
        "Moves or renames. If the destination exists, it will fail.",
        _object("source destination", source=TEXT, destination=TEXT),
        _SAID,
        destructiveHint=True,
    ),
    tool(
        "search_files",
        "Paths that match a glob.",
        _object("path pattern", path=TEXT, pattern=TEXT, excludePatterns=_LEFT_OUT),
        _SAID,
    ),
    tool("get_file_info", "What is known of a file.", _PATH, _SAID),
    tool("list_allowed_directories", "Where the server may work.", _object(), _SAID),
]

_ENTITY = _object("name entityType observations", name=TEXT, entityType=TEXT, observations=_list(TEXT))
_RELATION: Schema = _object("from to relationType", **{"from": TEXT, "to": TEXT, "relationType": TEXT})
_GRAPH = _object("entities relations", entities=_list(_ENTITY), relations=_list(_RELATION))
_DONE = _object("success message", success={"type": "boolean"}, message=TEXT)
_ADDED = _list(_object("entityName addedObservations", entityName=TEXT, addedObservations=_list(TEXT)))
_ADDS = _list(_object("entityName contents", entityName=TEXT, contents=_list(TEXT)))
_TAKES = _list(_object("entityName observations", entityName=TEXT, observations=_list(TEXT)))

GRAPH: list[Schema] = [
    tool(
        "create_entities",
        "Adds entities.",
        _object("entities", entities=_list(_ENTITY)),
        _object("entities", entities=_list(_ENTITY)),
    ),
    tool(
        "create_relations",
        "Adds relations.",
        _object("relations", relations=_list(_RELATION)),
        _object("relations", relations=_list(_RELATION)),
    ),
    tool(
        "add_observations",
        "Adds to what is known of entities.",
        _object("observations", observations=_ADDS),
        _object("results", results=_ADDED),
    ),
    tool("delete_entities", "Takes entities away.", _object("entityNames", entityNames=_list(TEXT)), _DONE),
    tool("delete_observations", "Takes away what is known.", _object("deletions", deletions=_TAKES), _DONE),
    tool("delete_relations", "Takes relations away.", _object("relations", relations=_list(_RELATION)), _DONE),
    tool("read_graph", "Everything that is known.", _object(), _GRAPH, readOnlyHint=True),
    tool("search_nodes", "Entities that mention something.", _object("query", query=TEXT), _GRAPH),
    tool("open_nodes", "Entities by their names.", _object("names", names=_list(TEXT)), _GRAPH),
]
