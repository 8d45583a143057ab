"""What Alembic runs: the connection is handed in by `server_db.engine`; there is no alembic.ini."""

from alembic import context

from longwatch.server_db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
