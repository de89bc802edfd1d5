{%- set measurements = sections().diagnostic_summary.numbers %}

with

{{ spark_section('diagnostic_summary') }},

typed_summaries as (
    select
        numbered.file_id,
        numbered.row_index as summary_index,
        numbered.cycle_index,
        {%- for measurement in measurements %}
        numbered.{{ measurement }},
        {%- endfor %}
        numbered.cycle_type,
        {{ spark_to_timestamp('numbered.date_time_iso') }} as date_time_iso,
        numbered.batch_files,
        numbered.batch
    from numbered
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
