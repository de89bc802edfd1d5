-- Published is every tenth point, but the start of a cycle and the highest cycle are those of all points.
with

{{ pending_batches() }},

{{ spark_pending_parts('cycles_interpolated') }},

{{ spark_section_rows('cycles_interpolated', ['cycle_index', 'test_time']) }},

typed as (
    select
        cells.file_id,
        {{ spark_to_double('cells.cycle_index') }} as cycle_index,
        {{ spark_to_double('cells.test_time') }} as test_time,
        cells.batch_files,
        cells.batch
    from cells
),

final as (
    select
        typed.file_id,
        {{ spark_to_whole_number('typed.cycle_index') }} as cycle_index,
        min(typed.test_time) as first_test_time,
        max(typed.batch_files) as batch_files,
        max(typed.batch) as batch
    from typed
    group by 1, 2
)

select * from final
