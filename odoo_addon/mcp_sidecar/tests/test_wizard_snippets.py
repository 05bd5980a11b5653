import json
import subprocess
import tomllib

from odoo.tests import BaseCase, tagged

from ..wizards import snippets

KEY = "mcp_ak_" + "a1B2c3D4" * 6
BEARER = f"Bearer {KEY}"
URLS = (
    "https://odoo.example.com/odoo/mcp",
    "http://[2001:db8::1]:8765/odoo/mcp",
    "https://odoo.example.com/a%20b/'$HOME`x`\"/odoo/mcp",
)


def words(command):
    """The arguments that a shell passes to the command."""
    told = 'curl() { printf "%s\\0" "$@"; }; claude() { curl "$@"; }; '
    shell = subprocess.run(["sh", "-c", told + command], capture_output=True, check=True, text=True)
    return shell.stdout.split("\0")[:-1]


def pairs(text):
    """Lines of the form “name: value”."""
    return dict(line.strip().removeprefix("- ").split(": ", 1) for line in text.splitlines() if ": " in line)


@tagged("-at_install", "post_install")
class TestSnippets(BaseCase):
    """Each snippet is read back by the rules of its own format."""

    def read_back(self, name, read):
        for url in URLS:
            yield url, read(snippets.filled_in(url, KEY)[name])

    def test_claude_code(self):
        for url, found in self.read_back("claude_code", words):
            self.assertEqual(found[:5], ["mcp", "add", "--transport", "http", "odoo"])
            self.assertEqual(found[5:], [url, "--header", f"Authorization: {BEARER}"])

    def test_curl(self):
        for url, found in self.read_back("curl", words):
            self.assertEqual(found[:3], [url, "-H", f"Authorization: {BEARER}"])
            self.assertEqual(json.loads(found[-1])["method"], "initialize")

    def test_claude_desktop(self):
        for url, found in self.read_back("claude_desktop", json.loads):
            server = found["mcpServers"]["odoo"]
            self.assertEqual((server["command"], server["args"][:3]), ("npx", ["-y", "mcp-remote", url]))
            self.assertEqual(server["env"]["AUTH_HEADER"], BEARER)
            self.assertNotIn(KEY, " ".join(server["args"]))
            self.assertEqual("--allow-http" in server["args"], url.startswith("http:"))

    def test_tools_with_json(self):
        for name, root, address in (
            ("cursor", "mcpServers", "url"),
            ("gemini_cli", "mcpServers", "httpUrl"),
            ("vscode", "servers", "url"),
        ):
            for url, found in self.read_back(name, json.loads):
                server = found[root]["odoo"]
                self.assertEqual((server[address], server["headers"]), (url, {"Authorization": BEARER}))

    def test_codex(self):
        for url, found in self.read_back("codex", tomllib.loads):
            server = found["mcp_servers"]["odoo"]
            self.assertEqual(server, {"url": url, "http_headers": {"Authorization": BEARER}})

    def test_continue(self):
        for url, found in self.read_back("continue_dev", pairs):
            found = {name: json.loads(value) for name, value in found.items()}
            self.assertEqual(found, {"name": "odoo", "type": "streamable-http", "url": url, "Authorization": BEARER})

    def test_what_is_typed_by_hand(self):
        for url, found in self.read_back("n8n", pairs):
            self.assertEqual((found["Endpoint"], found["Bearer Token"]), (url, KEY))
        for url, found in self.read_back("header", pairs):
            self.assertEqual(found, {"URL": url, "Authorization": BEARER})
