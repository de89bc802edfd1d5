"""What `target` is in dbt, for sqlfluff, which lints the SQL of PostgreSQL."""

type = "postgres"
