from . import mcp_connect_wizard
from . import mcp_credential_show
