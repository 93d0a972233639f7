"""What Alembic runs: the migrations, on the connection and in the transaction it was given."""

from __future__ import annotations

from alembic import context

from bot.library.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # SQLite can as well, once its driver begins no transactions by itself
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
