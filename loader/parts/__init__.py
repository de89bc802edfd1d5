"""A document in parts that PostgreSQL can hold, and the parts together again."""
