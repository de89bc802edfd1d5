{%- set measurements = sections().diagnostic_summary.numbers %}

with

{{ pending_batches() }},

{{ spark_pending_parts('diagnostic_summary') }},

{{ spark_typed_rows('diagnostic_summary') }},

numbered as (
    select
        typed.file_id,
        typed.row_index as summary_index,
        {{ spark_to_whole_number('typed.cycle_index') }} as cycle_index,
        {%- for measurement in measurements %}
        typed.{{ measurement }},
        {%- endfor %}
        typed.cycle_type,
        {{ spark_to_timestamp('typed.date_time_iso') }} as date_time_iso,
        typed.batch_files,
        typed.batch
    from typed
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
