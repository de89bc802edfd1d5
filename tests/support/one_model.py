"""A dbt project of one model, for tests of what runs dbt and not of what it builds."""

from pathlib import Path

MODEL = Path("dbt_project", "models", "landed.sql")
"""In the folder of a checkout; the table is `battery.landed`."""

PROJECT = """\
name: one_model
profile: battery_elt
models: {+materialized: table}
flags: {send_anonymous_usage_stats: false, log_level_file: info}
"""


def write(checkout: Path, model: str) -> None:
    """Makes the project of a checkout: one table, of what the query `model` gives."""
    (checkout / MODEL).parent.mkdir(parents=True)
    (checkout / MODEL).write_text(model)
    (checkout / "dbt_project" / "dbt_project.yml").write_text(PROJECT)
