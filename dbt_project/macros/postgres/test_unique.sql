{#
    In the place of dbt's own on PostgreSQL; it reads the whole table and groups it by hashing. Where the column is the table's primary
    key or under a unique constraint, PostgreSQL has proved it row by row, and nothing is read. Else the values are compared
    in order: an id is `file_id * 2^32 + index`, and PostgreSQL hashes a bigint by its halves, one xor the other, so that ids
    of different files fall on one hash and 80,000 of them take half a minute.
#}
{% macro postgres__test_unique(model, column_name) %}
with

proofs as (
    select 1
    from pg_index as indexes
    inner join pg_attribute as attributes
        on indexes.indrelid = attributes.attrelid and indexes.indkey[0] = attributes.attnum
    where
        indexes.indrelid = '{{ model.render() }}'::regclass
        and indexes.indisunique
        and indexes.indisvalid
        and indexes.indnkeyatts = 1
        and indexes.indpred is null
        and attributes.attname = '{{ column_name }}'
),

neighbours as (
    select
        {{ column_name }} as value,
        lag({{ column_name }}) over (order by {{ column_name }}) as value_before
    from {{ model }}
    where
        {{ column_name }} is not null
        and not exists (select 1 from proofs)
)

select neighbours.value as duplicate
from neighbours
where neighbours.value = neighbours.value_before
{% endmacro %}
