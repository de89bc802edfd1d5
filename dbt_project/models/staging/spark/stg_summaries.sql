{%- set measurements = sections().summary.numbers %}

with

{{ pending_batches() }},

sections as (
    select
        *,
        -- without any cycle number, the position stands in
        shape = 'by cycle' or array_contains(column_names, 'cycle_index') as is_numbered
    from {{ ref('stg_sections') }}
    where section = 'summary'
),

{{ spark_pending_parts('summary') }},

{{ spark_typed_rows('summary') }},

numbered as (
    select
        typed.file_id,
        typed.row_index as summary_index,
        case
            when sections.is_numbered then {{ spark_to_whole_number('typed.cycle_index') }}
            when typed.row_index <= 2147483647 then typed.row_index::integer
        end as cycle_index,
        {%- for measurement in measurements %}
        typed.{{ measurement }},
        {%- endfor %}
        {{ spark_to_timestamp('typed.date_time_iso') }} as date_time_iso,
        typed.batch_files,
        typed.batch
    from typed
    inner join sections on typed.file_id = sections.file_id
),

final as (
    select
        numbered.* except (batch_files, batch),
        {{ is_latest_of_cycle('numbered') }} as is_latest_of_cycle,
        numbered.batch_files,
        numbered.batch
    from numbered
)

select * from final
