"""Authentication: credentials, address rules, and the environment of the user that a call runs as."""
