{%- set measurements = ['charge_capacity', 'discharge_capacity', 'charge_energy', 'discharge_energy'] %}

{%- set parts %}
with

runs as (
    select *
    from {{ ref('int_runs') }}
    where run_number is not null
),

{{ pending_batches(files='runs', columns=['file_id', 'cycle_offset']) }},

sections as (
    select
        *,
        not array_contains(column_names, 'step_type') as is_untyped
    from {{ ref('stg_sections') }}
    where section = 'cycles_interpolated' and row_count > 0
),

-- the battery's cycles that BEEP compares, by the numbers of the run's own file
wanted as (
    select
        runs.file_id,
        cast(compared.cycle_index - runs.cycle_offset as int) as cycle_index,
        sections.is_under_own_key,
        sections.is_untyped,
        pending_batches.batch_files,
        pending_batches.batch
    from runs
    inner join {{ ref('stg_landed') }} as landed on runs.file_id = landed.file_id
    inner join pending_batches on landed.batch = pending_batches.batch
    inner join sections on runs.file_id = sections.file_id
    cross join (values (9), (10), (99), (100)) as compared (cycle_index)
    where compared.cycle_index >= runs.cycle_offset
),

wanted_of_files as (
    select
        wanted.file_id,
        wanted.is_under_own_key,
        collect_list(cast(wanted.cycle_index as double)) as cycles,
        max(wanted.batch_files) as batch_files,
        max(wanted.batch) as batch
    from wanted
    group by wanted.file_id, wanted.is_under_own_key
),

-- parts in columns have noted their cycles; of the others every one is looked at
pending_parts as (
    select
        parts.file_id,
        parts.part_no,
        parts.shape,
        parts.row_count,
        wanted_of_files.batch,
        wanted_of_files.batch_files
    from {{ ref('stg_part_sections') }} as parts
    inner join wanted_of_files
        on
            parts.file_id = wanted_of_files.file_id
            and parts.is_under_own_key = wanted_of_files.is_under_own_key
    where
        parts.section = 'cycles_interpolated'
        and parts.row_count > 0
        and (
            parts.shape <> 'columnar'
            or arrays_overlap(transform(parts.cycle_starts, start -> start.cycle_index), wanted_of_files.cycles)
        )
)
{%- endset %}

{{ spark_pending_section_rows(parts, 'cycles_interpolated', ['cycle_index'] + measurements + ['step_type']) }},

numbered as (
    select
        cells.* except (cycle_index, batch, batch_files),
        {{ spark_to_double('cells.cycle_index') }} as cycle_index
    from cells
),

points as (
    select
        numbered.file_id,
        numbered.row_index as point_index,
        wanted.cycle_index,
        wanted.is_untyped,
        {%- for measurement in measurements %}
        {{ spark_to_double('numbered.' ~ measurement) }} as {{ measurement }},
        {%- endfor %}
        {{ spark_to_text('numbered.step_type') }} as step_type
    from numbered
    inner join wanted on numbered.file_id = wanted.file_id and numbered.cycle_index = wanted.cycle_index
),

{{ curves_of_points('wanted', measurements, more=['batch_files', 'batch']) }}

select * from final
