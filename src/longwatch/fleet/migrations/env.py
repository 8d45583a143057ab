"""What Alembic runs: the connection is handed in by `fleet.engine`; there is no alembic.ini."""

from alembic import context

from longwatch.fleet.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    version_table="fleet_version",
)
with context.begin_transaction():
    context.run_migrations()
