with

{{ pending_batches() }},

sections as (
    select
        *,
        array_contains(column_names, 'time') as has_time
    from {{ ref('stg_sections') }}
    where section = 'cycles_interpolated'
),

cycles_of_files as (
    select * from {{ ref('stg_cycles') }}
),

{{ spark_pending_parts('cycles_interpolated') }},

{{ spark_typed_rows('cycles_interpolated', every=var('sample_every')) }},

numbered as (
    select
        typed.* except (cycle_index),
        {{ spark_to_whole_number('typed.cycle_index') }} as cycle_index
    from typed
),

final as (
    select
        numbered.file_id,
        numbered.row_index as point_index,
        numbered.cycle_index,
        case
            when sections.has_time then numbered.time
            else {{ difference('numbered.test_time', 'cycles_of_files.first_test_time') }}
        end as time,
        numbered.voltage,
        numbered.current as current_,
        numbered.temperature,
        numbered.charge_capacity,
        numbered.discharge_capacity,
        numbered.step_type,
        numbered.batch_files,
        numbered.batch
    from numbered
    inner join sections on numbered.file_id = sections.file_id
    left join cycles_of_files
        on
            numbered.file_id = cycles_of_files.file_id
            and numbered.cycle_index = cycles_of_files.cycle_index
    where numbered.cycle_index is not null
)

-- files of the advisory size in a batch, instead of one a task
select /*+ rebalance(batch) */ * from final
