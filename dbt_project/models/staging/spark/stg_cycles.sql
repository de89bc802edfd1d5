{%- set has_rare_shapes = spark_has_rare_shapes('cycles_interpolated') %}

with

{{ pending_batches() }},

{{ spark_pending_parts('cycles_interpolated') }},

{% if has_rare_shapes -%}
{{ spark_section_rows('cycles_interpolated', ['cycle_index', 'test_time']) }},
{%- endif %}

typed as (
    select
        pending_parts.file_id,
        start.cycle_index,
        start.test_time,
        pending_parts.batch_files,
        pending_parts.batch
    from pending_parts
    cross join lateral inline_outer(pending_parts.cycle_starts) as start
    where pending_parts.shape = 'columnar'
    {%- if has_rare_shapes %}

    union all

    select
        cells.file_id,
        {{ spark_to_double('cells.cycle_index') }} as cycle_index,
        {{ spark_to_double('cells.test_time') }} as test_time,
        cells.batch_files,
        cells.batch
    from cells
    {%- endif %}
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
