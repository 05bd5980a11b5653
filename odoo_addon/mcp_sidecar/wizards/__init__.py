from . import mcp_audit_verify
from . import mcp_audit_verify_line
from . import mcp_connect_wizard
from . import mcp_connect_wizard_oauth
from . import mcp_credential_show
from . import mcp_oauth_client_show
