{%- set numbers, others = sections().diagnostic_interpolated.numbers, sections().diagnostic_interpolated.others %}

with

{{ pending_batches() }},

sections as (
    select
        *,
        array_contains(column_names, 'time') as has_time
    from {{ ref('stg_sections') }}
    where section = 'diagnostic_interpolated'
),

{{ spark_pending_parts('diagnostic_interpolated') }},

{{ spark_typed_rows('diagnostic_interpolated') }},

numbered as (
    select
        typed.* except (cycle_index),
        {{ spark_to_whole_number('typed.cycle_index') }} as cycle_index
    from typed
),

started as (
    select
        numbered.*,
        min(numbered.test_time) over (partition by numbered.file_id, numbered.cycle_index) as first_test_time
    from numbered
    where numbered.cycle_index is not null
),

final as (
    select
        started.file_id,
        started.row_index as point_index,
        started.cycle_index,
        case
            when sections.has_time then started.time
            else {{ difference('started.test_time', 'started.first_test_time') }}
        end as time,
        {%- for column in numbers + others if column != 'time' %}
        started.{{ column }}{{ ' as current_' if column == 'current' }},
        {%- endfor %}
        started.batch_files,
        started.batch
    from started
    inner join sections on started.file_id = sections.file_id
)

select /*+ rebalance(batch) */ * from final
