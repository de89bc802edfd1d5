{%- set has_rare_shapes = spark_has_rare_shapes('cycles_interpolated') %}

with

{{ pending_batches() }},

{{ spark_pending_parts('cycles_interpolated') }},

{% if has_rare_shapes -%}
{{ spark_section_rows('cycles_interpolated', ['cycle_index', 'test_time']) }},
{%- endif %}

starts_of_parts as (
    select
        pending_parts.*,
        parts.cycle_starts
    from {{ ref('stg_part_sections') }} as parts
    inner join pending_parts on parts.file_id = pending_parts.file_id and parts.part_no = pending_parts.part_no
    where parts.section = 'cycles_interpolated' and pending_parts.shape = 'columnar'
),

typed as (
    select
        starts_of_parts.file_id,
        start.cycle_index,
        start.test_time,
        starts_of_parts.batch_files,
        starts_of_parts.batch
    from starts_of_parts
    cross join lateral inline_outer(starts_of_parts.cycle_starts) as start
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
