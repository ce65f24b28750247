"""Stands for the Claude Code process: speaks the SDK's control protocol over stdin and stdout, and plays a script.

What it "does" it writes into the file $FAKE_DONE. The script is $FAKE_SCRIPT: turns of calls, each with `name` and
`input`; `side` calls of one turn begin together. Permissions as Claude Code has them: a hook's deny is a no, its ask
goes to can_use_tool, an answer without a decision goes on; a callback that fails blocks where onFailure says so.
"""

import json
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

answers: dict[str, dict] = {}
arrived = threading.Condition()
speaking = threading.Lock()
users: list[dict] = []
hooks: dict[str, list[dict]] = {}
asked = 0
over = threading.Event()


def say(message: dict) -> None:
    with speaking:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def ask(request: dict) -> dict:
    """One control request, and its answer."""
    global asked
    with arrived:
        asked += 1
        name = f"cli-{asked}"
    say({"type": "control_request", "request_id": name, "request": request})
    with arrived:
        while name not in answers:
            arrived.wait()
        return answers.pop(name)


def listen() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "control_request":
            request = message["request"]
            if request["subtype"] == "initialize":
                hooks.update(request.get("hooks") or {})
            told = {} if os.environ.get("FAKE_OLD") else {"hook_on_failure_supported": True, "hooks_applied": True}
            answer = {"subtype": "success", "request_id": message["request_id"], "response": told}
            say({"type": "control_response", "response": answer})
        elif message["type"] == "control_response":
            with arrived:
                answers[message["response"]["request_id"]] = message["response"]
                arrived.notify_all()
        elif message["type"] == "user":
            with arrived:
                users.append(message)
                arrived.notify_all()
    over.set()


def call_hooks(event: str, call: dict, **more: object) -> dict:
    """The strictest of what they say."""
    said: dict = {}
    for matcher in hooks.get(event, []):
        pattern = matcher.get("matcher")
        if pattern and not re.fullmatch(pattern, call["name"]):
            continue
        for callback in matcher["hookCallbackIds"]:
            given = {
                "hook_event_name": event,
                "session_id": "11111111-1111-1111-1111-111111111111",
                "transcript_path": "",
                "cwd": os.getcwd(),
                "tool_name": call["name"],
                "tool_input": call["input"],
                "tool_use_id": call["id"],
                **more,
            }
            request = {"subtype": "hook_callback", "callback_id": callback, "input": given, "tool_use_id": call["id"]}
            answer = ask(request)
            if answer["subtype"] == "error":
                if matcher.get("onFailure") == "block":
                    return {"permissionDecision": "deny", "permissionDecisionReason": f"hook failed: {answer['error']}"}
                continue
            output = (answer.get("response") or {}).get("hookSpecificOutput") or {}
            if output.get("permissionDecision") == "deny":
                return output
            said = {**said, **output}
    return said


def do(call: dict) -> tuple[str, bool]:
    """A tool, as the process has it: its text, and whether it failed."""
    said = call_hooks("PreToolUse", call)
    decision = said.get("permissionDecision")
    given = call["input"]
    if decision == "deny":
        return said.get("permissionDecisionReason", "denied"), True
    if decision == "allow" and "updatedInput" in said:
        given = said["updatedInput"]
    if decision == "ask" or (decision is None and call.get("prompts")):
        request = {"subtype": "can_use_tool", "tool_name": call["name"], "input": given, "tool_use_id": call["id"]}
        answer = ask(request)
        response = answer.get("response") or {}
        if response.get("behavior") != "allow":
            call_hooks("PermissionDenied", {**call, "input": given})
            return response.get("message") or answer.get("error", "denied"), True
        given = response.get("updatedInput", given)
    done = {**call, "input": given}
    if call["name"].startswith("mcp__"):
        _, server, tool = call["name"].split("__", 2)
        message = {"jsonrpc": "2.0", "id": call["id"], "method": "tools/call"}
        message["params"] = {"name": tool, "arguments": given}
        result = mcp(server, message)["result"]
        text, failed = result["content"][0]["text"], bool(result.get("isError"))
    else:
        with open(os.environ["FAKE_DONE"], "a") as file:
            file.write(json.dumps([call["name"], given]) + "\n")
        text, failed = f"{call['name']} done", False
    call_hooks("PostToolUse", done, tool_response=text)
    return text, failed


def mcp(server: str, message: dict) -> dict:
    answer = ask({"subtype": "mcp_message", "server_name": server, "message": message})
    return answer["response"]["mcp_response"]


def open_servers(names: set[str]) -> None:
    opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "fake", "version": "1"}}
    for name in names:
        mcp(name, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening})
        mcp(name, {"jsonrpc": "2.0", "method": "notifications/initialized"})


def main() -> None:
    threading.Thread(target=listen, daemon=True).start()
    with arrived:
        while not users:
            arrived.wait()
    script = json.loads(os.environ["FAKE_SCRIPT"])
    say({"type": "system", "subtype": "init", "session_id": "s", "claude_code_version": "9.9.9"})
    open_servers({call["name"].split("__")[1] for turn in script for call in turn if call["name"].startswith("mcp__")})
    number = 0
    for turn in script:
        for call in turn:
            number += 1
            call["id"] = f"toolu_{number}"
        uses = [{"type": "tool_use", "id": one["id"], "name": one["name"], "input": one["input"]} for one in turn]
        say(
            {"type": "assistant", "message": {"role": "assistant", "model": "fake", "content": uses}, "session_id": "s"}
        )
        with ThreadPoolExecutor(len(turn)) as pool:
            results = list(pool.map(do, turn))
        content = [
            {"type": "tool_result", "tool_use_id": one["id"], "content": text, "is_error": failed}
            for one, (text, failed) in zip(turn, results, strict=True)
        ]
        say({"type": "user", "message": {"role": "user", "content": content}, "session_id": "s"})
    say(
        {
            "type": "result",
            "subtype": "success",
            "duration_ms": 1,
            "duration_api_ms": 1,
            "is_error": False,
            "num_turns": len(script),
            "session_id": "s",
            "result": "done",
        }
    )
    over.wait()


main()
