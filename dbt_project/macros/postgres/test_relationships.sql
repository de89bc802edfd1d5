{#
    In the place of dbt's own on PostgreSQL; it joins the whole table. Where a foreign key says the same and has been validated,
    PostgreSQL has proved it row by row, and nothing is read.
#}
{% macro postgres__test_relationships(model, column_name, to, field) %}
with

children as (
    select * from {{ model }}
),

parents as (
    select * from {{ to }}
),

proofs as (
    select 1
    from pg_constraint as constraints
    inner join pg_attribute as child_columns
        on constraints.conrelid = child_columns.attrelid and constraints.conkey[1] = child_columns.attnum
    inner join pg_attribute as parent_columns
        on constraints.confrelid = parent_columns.attrelid and constraints.confkey[1] = parent_columns.attnum
    where
        constraints.contype = 'f'
        and constraints.convalidated
        and constraints.conrelid = '{{ model.render() }}'::regclass
        and constraints.confrelid = '{{ to.render() }}'::regclass
        and cardinality(constraints.conkey) = 1
        and child_columns.attname = '{{ column_name }}'
        and parent_columns.attname = '{{ field }}'
)

select children.{{ column_name }} as orphan
from children
where
    children.{{ column_name }} is not null
    and not exists (select 1 from parents where parents.{{ field }} = children.{{ column_name }})
    and not exists (select 1 from proofs)
{% endmacro %}
