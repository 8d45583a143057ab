"""Events whose picture is still to be made are found without looking through all."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_UNPICTURED = "(pictured_us IS NULL OR (pictured_us != best_us AND pictured_us >= 0 AND to_us IS NOT NULL))"


def upgrade() -> None:
    op.create_index("ix_events_unpictured", "events", ["from_us"], sqlite_where=sa.text(_UNPICTURED))
