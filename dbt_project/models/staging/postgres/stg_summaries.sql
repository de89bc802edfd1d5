{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id', 'summary_index'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

{%- set measurements = sections().summary.numbers %}

with

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = 'summary' and row_count > 0
),

pending as (
    select
        sections.*,
        -- without any cycle number, the position stands in
        sections.shape = 'by cycle' or 'cycle_index' = any(sections.column_names) as is_numbered
    from sections
    where {{ is_new('sections.file_id') }}
),

{{ pending_parts(carried=['is_numbered']) }},

{{ section_rows('summary', carried=['is_numbered']) }},

typed as (
    select
        numbers.file_id,
        numbers.is_numbered,
        numbers.row_index as summary_index,
        {{ to_double('numbers.cycle_index') }} as cycle_index,
        {%- for measurement in measurements %}
        {{ to_double('numbers.' ~ measurement) }} as {{ measurement }},
        {%- endfor %}
        {{ to_timestamp("(numbers.date_time_iso #>> '{}')") }} as date_time_iso
    from numbers
    {{ fence() }}
),

numbered as (
    select
        typed.file_id,
        typed.summary_index,
        case
            when typed.is_numbered then {{ to_whole_number('typed.cycle_index') }}
            when typed.summary_index <= 2147483647 then typed.summary_index::integer
        end as cycle_index,
        {%- for measurement in measurements %}
        typed.{{ measurement }},
        {%- endfor %}
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
