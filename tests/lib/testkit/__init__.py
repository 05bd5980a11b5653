"""Clients of Odoo and of the sidecar, shared by deploy/dev, the live tests and the bench.

Standard library only, and never installed: the scripts that need it put `tests/lib` on Python's path. In layer order:

    http, credentials    direct HTTP, the text form of keys
    odoo, mcp            XML-RPC as a user of Odoo; messages and headers of MCP
    settings, stack      Server Settings; the running development stack
    browsing, oauth      a browser without pictures; an OAuth client and the person who signs in for it
"""
