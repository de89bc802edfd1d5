{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id', 'point_index'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

{%- set measurements = sections().cycles_interpolated.numbers %}

with

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = 'cycles_interpolated' and row_count > 0
),

parts as (
    select * from {{ ref('stg_part_sections') }}
),

pending as (
    select
        sections.*,
        'time' = any(sections.column_names) as has_time
    from sections
    {% if is_incremental() %}
    where not exists (select 1 from {{ this }} as points where points.file_id = sections.file_id)
    {% endif %}
),

pending_parts as (
    select
        parts.file_id,
        parts.part_no,
        parts.cycle_starts,
        pending.has_time
    from pending
    inner join parts
        on
            pending.file_id = parts.file_id
            and pending.section = parts.section
            and pending.is_under_own_key = parts.is_under_own_key
),

cycle_starts as (
    select
        pending_parts.file_id,
        starts.key::integer as cycle_index,
        min(starts.value::numeric)::float8 as test_time
    from pending_parts
    cross join lateral jsonb_array_elements(pending_parts.cycle_starts) as of_set (starts)
    cross join lateral jsonb_each_text(of_set.starts) as starts
    where not pending_parts.has_time
    group by pending_parts.file_id, starts.key::integer
),

{{ section_rows('cycles_interpolated', every=var('sample_every')) }},

doubles as (
    select
        numbers.file_id,
        numbers.row_index as point_index,
        {{ to_double('numbers.cycle_index') }} as cycle_index,
        {%- for measurement in measurements %}
        {{ to_double('numbers.' ~ measurement) }} as {{ measurement }},
        {%- endfor %}
        {{ to_text('numbers.step_type') }} as step_type
    from numbers
    {{ fence() }}
),

numbered as (
    select
        doubles.*,
        {{ to_whole_number('doubles.cycle_index') }} as cycle_number
    from doubles
),

final as (
    select
        numbered.file_id,
        numbered.point_index,
        numbered.cycle_number as cycle_index,
        case
            when pending.has_time then numbered.time
            else {{ difference('numbered.test_time', 'cycle_starts.test_time') }}
        end as time,
        numbered.voltage,
        numbered.current as current_,
        numbered.temperature,
        numbered.charge_capacity,
        numbered.discharge_capacity,
        numbered.step_type
    from numbered
    inner join pending on numbered.file_id = pending.file_id
    left join cycle_starts
        on
            numbered.file_id = cycle_starts.file_id
            and numbered.cycle_number = cycle_starts.cycle_index
)

select * from final
