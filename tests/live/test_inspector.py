"""The official Inspector, the way a person would try the server out."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.credentials import unknown_key
from support.stack import Stack

ERAS = ("legacy", "modern", "auto")


def inspector(stack: Stack, key: str, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run its command line; a home of its own keeps it from reading and leaving files."""
    command = [os.environ["LIVE_NODE"], os.environ["LIVE_INSPECTOR"], "--cli", stack.mcp_url, "--transport", "http"]
    command += ["--header", f"Authorization: Bearer {key}", "--format", "json", *words]
    environment = {**os.environ, "HOME": str(home)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """Its answer, which must be a success."""
    assert done.returncode == 0, f"the Inspector ended with {done.returncode}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout)["result"]


@pytest.mark.parametrize("era", ERAS)
def test_tools_are_listed_without_complaint(stack: Stack, tmp_path: Path, era: str) -> None:
    # --strict also judges whether other clients can take the schemas.
    words = ("--method", "tools/list", "--strict", "--protocol-era", era)
    tools = answer(inspector(stack, stack.api_key, tmp_path, *words))["tools"]
    assert "search_read" in [tool["name"] for tool in tools]


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_is_called(stack: Stack, tmp_path: Path, era: str) -> None:
    words = ("--method", "tools/call", "--tool-name", "search_read", "--protocol-era", era)
    arguments = ("--tool-arg", "model=res.partner", 'fields=["name"]', "limit=2")
    result = answer(inspector(stack, stack.api_key, tmp_path, *words, *arguments))
    assert result.get("isError") is not True, result
    assert len(json.loads(result["content"][0]["text"])["records"]) == 2


def test_a_wrong_key_fails_it(stack: Stack, tmp_path: Path) -> None:
    done = inspector(stack, unknown_key(), tmp_path, "--method", "tools/list", "--stored-auth-only")
    assert done.returncode != 0, f"the Inspector got in with a wrong key: {done.stdout}"
