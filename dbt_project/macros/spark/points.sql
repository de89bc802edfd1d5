{#
    CTEs from CTEs `sections` and `started` (`numbered` with the first_test_time of each cycle) to the CTE `final` of a model of
    points: where a section has no `time`, it is counted from there.
#}
{% macro spark_timed_points(columns) -%}
final as (
    select
        started.file_id,
        started.row_index as point_index,
        started.cycle_index,
        case
            when array_contains(sections.column_names, 'time') then started.time
            else {{ difference('started.test_time', 'started.first_test_time') }}
        end as time,
        {%- for column in columns if column != 'time' %}
        started.{{ column }}{{ ' as current_' if column == 'current' }},
        {%- endfor %}
        started.batch_files,
        started.batch
    from started
    inner join sections on started.file_id = sections.file_id
    where started.cycle_index is not null
)
{%- endmacro %}

{# With the first_test_time where every point is there. #}
{% macro spark_started() -%}
started as (
    select
        numbered.*,
        min(numbered.test_time) over (partition by numbered.file_id, numbered.cycle_index) as first_test_time
    from numbered
)
{%- endmacro %}

{# points.sql for Spark: the points are taken apart in staging, and the published table is a view of them. #}
{% macro spark_points(runs, staged) -%}
runs as (
    select *
    from {{ ref(runs) }}
    where run_number is not null
),

typed_points as (
    select * from {{ ref(staged) }}
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
