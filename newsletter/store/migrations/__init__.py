"""How the tables came to be what they are: Alembic revisions, run forward only."""
