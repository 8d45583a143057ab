"""Numbered changes to `server.db`, applied by whoever holds `server.lock`."""
