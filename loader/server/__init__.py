"""Which PostgreSQL the loader works with, and the one that comes along."""
