"""What a post discarded without an event is told from what its retention removed."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE gone RENAME COLUMN confirmed TO fate")
