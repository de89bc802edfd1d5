{#
    CTEs from the runs in a model `runs`, those noted in `published_runs` left out, to a CTE `points`: every `every`th point of a
    section, numbered on from run to run, with the columns of the section, and `more` of its numbers.
#}
{% macro points(runs, published_runs, every, more=[], section='cycles_interpolated') -%}
{%- if target.type == 'spark' -%}
{{ spark_points(runs, 'stg_full_resolution_points' if more else 'stg_diagnostic_points' if section != 'cycles_interpolated' else 'stg_points') }}
{%- else -%}
{{ points_of_documents(runs, published_runs, every, more, section) }}
{%- endif -%}
{%- endmacro %}

{% macro points_of_documents(runs, published_runs, every, more, section) -%}
{%- set measurements, others = sections()[section].numbers + more, sections()[section].others %}
runs as (
    select *
    from {{ ref(runs) }}
    where run_number is not null
),

published_runs as (
    select * from {{ ref(published_runs) }}
),

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = '{{ section }}' and row_count > 0
),

pending as (
    select
        runs.file_id,
        runs.battery_id,
        runs.cycle_offset,
        section.part_nos,
        section.cycle_starts,
        'time' = any(section.column_names) as has_time
    from runs
    cross join
        lateral (
            select sections.*
            from sections
            where sections.file_id = runs.file_id
            {{ fence() }}
        ) as section
    {% if is_incremental() %}
    where not exists (select 1 from published_runs where published_runs.file_id = runs.file_id)
    {% endif %}
    {{ fence() }}
),

{{ pending_parts(carried=['battery_id', 'cycle_offset', 'has_time', 'cycle_starts']) }},

{{ section_rows(
    section, every=every, more=more, carried=['battery_id', 'cycle_offset', 'has_time', 'cycle_starts']
) }},

doubles as (
    select
        numbers.file_id,
        numbers.battery_id,
        numbers.cycle_offset,
        numbers.has_time,
        numbers.cycle_starts,
        numbers.row_index as point_index,
        {{ to_double('numbers.cycle_index') }} as cycle_index,
        {%- for measurement in measurements %}
        {{ to_double('numbers.' ~ measurement) }} as {{ measurement }},
        {%- endfor %}
        {%- for other in others %}
        {{ to_text('numbers.' ~ other) }} as {{ other }}{{ ',' if not loop.last }}
        {%- endfor %}
    from numbers
    {{ fence() }}
),

numbered as (
    select
        doubles.*,
        {{ to_whole_number('doubles.cycle_index') }} as cycle_number
    from doubles
),

timed as (
    select
        numbered.*,
        (numbered.cycle_starts ->> numbered.cycle_number::text)::float8 as cycle_start
    from numbered
    {{ fence() }}
),

points as (
    select
        {{ row_id('timed.file_id', 'timed.point_index') }} as id,
        timed.battery_id,
        (timed.cycle_number + timed.cycle_offset)::integer as cycle_index,
        case
            when timed.has_time then timed.time
            else {{ difference('timed.test_time', 'timed.cycle_start') }}
        end as time,
        {%- for column in measurements if column != 'time' %}
        timed.{{ column }}{{ ' as current_' if column == 'current' }},
        {%- endfor %}
        {%- for other in others %}
        timed.{{ other }}{{ ',' if not loop.last }}
        {%- endfor %}
    from timed
    where timed.cycle_number + timed.cycle_offset <= 2147483647
)
{%- endmacro %}
