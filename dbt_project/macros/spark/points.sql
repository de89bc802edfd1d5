{# points.sql for Spark: the points are taken apart in staging, and the published table is a view of them. #}
{% macro spark_points(runs, section) -%}
{%- set staged = {'cycles_interpolated': 'stg_points', 'diagnostic_interpolated': 'stg_diagnostic_points'} -%}
runs as (
    select *
    from {{ ref(runs) }}
    where run_number is not null
),

typed_points as (
    select * from {{ ref(staged[section]) }}
),

points as (
    select
        {{ row_id('typed_points.file_id', 'typed_points.point_index') }} as id,
        runs.battery_id,
        (typed_points.cycle_index + runs.cycle_offset)::integer as cycle_index,
        typed_points.* except (file_id, point_index, cycle_index, batch_files, batch)
    from typed_points
    inner join runs on typed_points.file_id = runs.file_id
    where typed_points.cycle_index + runs.cycle_offset <= 2147483647
)
{%- endmacro %}
