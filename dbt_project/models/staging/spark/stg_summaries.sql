{%- set measurements = sections().summary.numbers %}

with

{{ spark_section('summary') }},

typed_summaries as (
    select
        numbered.file_id,
        numbered.row_index as summary_index,
        -- without any cycle number, the position stands in
        case
            when sections.shape = 'by cycle' or array_contains(sections.column_names, 'cycle_index') then numbered.cycle_index
            when numbered.row_index <= 2147483647 then numbered.row_index::integer
        end as cycle_index,
        {%- for measurement in measurements %}
        numbered.{{ measurement }},
        {%- endfor %}
        {{ spark_to_timestamp('numbered.date_time_iso') }} as date_time_iso,
        numbered.batch_files,
        numbered.batch
    from numbered
    inner join sections on numbered.file_id = sections.file_id
),

final as (
    select
        typed_summaries.* except (batch_files, batch),
        {{ is_latest_of_cycle('typed_summaries') }} as is_latest_of_cycle,
        typed_summaries.batch_files,
        typed_summaries.batch
    from typed_summaries
)

select * from final
