"""Verbs of the command line. Each is thin: it reads settings, calls a room, prints."""
