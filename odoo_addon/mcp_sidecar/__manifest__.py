{
    "name": "MCP Server",
    "summary": "Let AI tools work with Odoo through the Model Context Protocol",
    "version": "19.0.1.0.0",
    "development_status": "Beta",
    "category": "Productivity",
    "author": "odoo-mcp-sidecar contributors",
    "license": "LGPL-3",
    "application": True,
    "depends": ["base", "web"],
    "data": [
        "security/mcp_sidecar_groups.xml",
        "security/ir.model.access.csv",
        "security/mcp_connection_security.xml",
        "data/mcp_server_settings_data.xml",
        "data/res_users_data.xml",
        "views/mcp_connection_views.xml",
        "views/mcp_connection_list_views.xml",
        "views/mcp_replica_views.xml",
        "wizards/mcp_credential_show_views.xml",
        "wizards/mcp_connect_wizard_views.xml",
        "views/mcp_server_settings_views.xml",
        "views/mcp_sidecar_menus.xml",
    ],
    "assets": {
        "web.assets_backend": [
            "mcp_sidecar/static/src/**/*",
        ],
        "web.assets_tests": [
            "mcp_sidecar/static/tests/tours/**/*",
        ],
    },
    "uninstall_hook": "uninstall_hook",
}
