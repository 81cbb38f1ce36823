"""The memory: SQLite or PostgreSQL behind the ports of the use cases, with the same code and the same rules."""
