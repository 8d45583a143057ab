"""Users, roles, tokens and sessions. State: tables of the server's own database; the server process is their one writer."""
