"""`server.db`: what the server remembers of its own, in the first volume. Tables, migrations, and how the file is opened.

Rooms that keep something there (accounts, exports) write their own statements over these tables; none makes tables of its own.
State: the file. One writer: whoever holds `server.lock` (`DataLock`), so what a room has looked up stays true until it changes
it itself. Promises: opening applies the migrations that are missing and refuses a newer file without touching it; what is
deleted is overwritten (`secure_delete`); an act is durable once its transaction returns.
"""

from longwatch.server_db.engine import ServerDb
from longwatch.server_db.lock import DataLock

__all__ = ["DataLock", "ServerDb"]
