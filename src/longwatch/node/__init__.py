"""The composition root: the recorder process, the server process and the supervisor over both."""
