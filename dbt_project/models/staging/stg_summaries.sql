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
    select * from {{ ref('stg_sections') }}
    where section = 'summary' and row_count > 0
),

parts as (
    select * from {{ ref('stg_part_sections') }}
),

pending as (
    select
        sections.*,
        -- without any cycle number, the position is_latest_of_cycle in
        sections.shape = 'by cycle' or 'cycle_index' = any(sections.column_names) as is_numbered
    from sections
    {% if is_incremental() %}
    where not exists (select 1 from {{ this }} as summaries where summaries.file_id = sections.file_id)
    {% endif %}
),

{{ pending_parts() }},

{{ section_rows('summary') }},

typed as (
    select
        numbers.file_id,
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
            when pending.is_numbered then {{ to_whole_number('typed.cycle_index') }}
            when typed.summary_index <= 2147483647 then typed.summary_index::integer
        end as cycle_index,
        {%- for measurement in measurements %}
        typed.{{ measurement }},
        {%- endfor %}
        typed.date_time_iso
    from typed
    inner join pending on typed.file_id = pending.file_id
),

final as (
    select
        numbered.*,
        -- of a cycle that occurs twice in one file the later row is_latest_of_cycle
        numbered.cycle_index is not null
        and row_number() over (
            partition by numbered.file_id, numbered.cycle_index
            order by numbered.summary_index desc
        ) = 1 as is_latest_of_cycle
    from numbered
)

select * from final
