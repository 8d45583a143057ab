"""Messages in the language of whoever reads them: what a browser spoke, what a delivery is written in, and a message's words in other languages."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("push_browsers", sa.Column("language", sa.String(8), nullable=False, server_default=sa.text("''")))
    op.add_column(
        "notify_deliveries", sa.Column("language", sa.String(8), nullable=False, server_default=sa.text("''"))
    )
    op.add_column("notify_messages", sa.Column("told", sa.JSON))
