"""Runs migrations on the connection, and in the transaction, that `SqlStore.migrate` holds."""

from alembic import context

from jikimi.db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()
