{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id', 'summary_index'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

{%- set measurements = sections().diagnostic_summary.numbers %}

with

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = 'diagnostic_summary' and row_count > 0
),

pending as (
    select sections.*
    from sections
    where {{ is_new('sections.file_id') }}
),

{{ pending_parts() }},

{{ section_rows('diagnostic_summary') }},

typed as (
    select
        numbers.file_id,
        numbers.row_index as summary_index,
        {{ to_double('numbers.cycle_index') }} as cycle_index,
        {%- for measurement in measurements %}
        {{ to_double('numbers.' ~ measurement) }} as {{ measurement }},
        {%- endfor %}
        {{ to_text('numbers.cycle_type') }} as cycle_type,
        {{ to_timestamp("(numbers.date_time_iso #>> '{}')") }} as date_time_iso
    from numbers
    {{ fence() }}
),

numbered as (
    select
        typed.file_id,
        typed.summary_index,
        {{ to_whole_number('typed.cycle_index') }} as cycle_index,
        {%- for measurement in measurements %}
        typed.{{ measurement }},
        {%- endfor %}
        typed.cycle_type,
        typed.date_time_iso
    from typed
),

final as (
    select
        numbered.*,
        {{ is_latest_of_cycle('numbered') }} as is_latest_of_cycle
    from numbered
)

select * from final
