"""The development stack: PostgreSQL, Odoo 19 and the sidecar, without containers.

Standard library only, run by Debian's own Python, so that a bare machine can start it. Its clients of Odoo and of MCP
are those of the tests, `tests/lib/testkit`. In layer order:

    console, files, process    what every other module uses
    paths, state               where things lie, and what is remembered between two runs
    odoo_package, postgres     what the machine lacks
    template, odoo, sidecar    the database template and the two servers
    rpc, mcp, provision        talking to them once they run
    stack, cli                 the commands
"""
