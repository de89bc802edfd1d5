{{ config(severity='warn', enabled=target.type == 'postgres') }}

-- Values that are there and become NULL: no number (or time stamp, or cycle) among those of their column, or an array that
-- ends before its table does. How many, by file and column; the other values are published.
with

files as (
    select *
    from {{ ref('battery_files') }}
    where run_number is not null
),

section_values as (
    select *
    from {{ ref('stg_section_values') }}
    where lost_values is not null
),

lost as (
    select
        section_values.file_id,
        section_values.section || '.' || of_column.column_name as column_name,
        of_column.value_count::bigint as value_count
    from section_values
    cross join lateral jsonb_each_text(section_values.lost_values) as of_column (column_name, value_count)
)

select
    files.file_name,
    sum(lost.value_count) as lost_values,
    string_agg(lost.column_name || ': ' || lost.value_count, ', ' order by lost.column_name) as columns
from lost
inner join files on lost.file_id = files.file_id
group by files.file_id, files.file_name
