{# points.sql for Spark: the points are taken apart in staging, and the published table is a view of them. #}
{% macro spark_points(runs) -%}
runs as (
    select *
    from {{ ref(runs) }}
    where run_number is not null
),

typed_points as (
    select * from {{ ref('stg_points') }}
),

points as (
    select
        {{ row_id('typed_points.file_id', 'typed_points.point_index') }} as id,
        runs.battery_id,
        (typed_points.cycle_index + runs.cycle_offset)::integer as cycle_index,
        typed_points.time,
        typed_points.voltage,
        typed_points.current_,
        typed_points.temperature,
        typed_points.charge_capacity,
        typed_points.discharge_capacity,
        typed_points.step_type
    from typed_points
    inner join runs on typed_points.file_id = runs.file_id
    where typed_points.cycle_index + runs.cycle_offset <= 2147483647
)
{%- endmacro %}
