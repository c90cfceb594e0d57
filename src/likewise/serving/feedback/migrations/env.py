"""Run by Alembic: applies the steps over the connection it was handed."""

from alembic import context

from likewise.serving.feedback.tables import metadata

with context.config.attributes["connection"].begin():
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table="likewise_schema",
        render_as_batch=True,
    )
    context.run_migrations()
