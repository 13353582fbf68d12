"""Where facts live: one schema and one set of statements for SQLite and PostgreSQL.

SQLAlchemy is imported in this room and nowhere else. Rows become the frozen values of `model` here.
"""
