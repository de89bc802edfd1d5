{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id', 'cycle_index', 'step_type'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

{%- set measurements = ['charge_capacity', 'discharge_capacity', 'charge_energy', 'discharge_energy'] %}

with

runs as (
    select * from {{ ref('int_runs') }}
),

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = 'cycles_interpolated' and row_count > 0
),

section_values as (
    select * from {{ ref('stg_section_values') }}
),

-- the battery's cycles that BEEP compares, by the numbers of the run's own file
wanted as (
    select
        runs.file_id,
        (compared.cycle_index - runs.cycle_offset)::integer as cycle_index
    from runs
    cross join (values (9), (10), (99), (100)) as compared (cycle_index)
    where
        runs.run_number is not null
        and compared.cycle_index >= runs.cycle_offset
),

pending_curves as (
    select
        wanted.file_id,
        wanted.cycle_index
    from wanted
    {% if is_incremental() %}
    where
        not exists (
            select 1
            from {{ this }} as curves
            where curves.file_id = wanted.file_id and curves.cycle_index = wanted.cycle_index
        )
    {% endif %}
),

pending as (
    select
        sections.file_id,
        section_values.early_part_nos as part_nos,
        not 'step_type' = any(sections.column_names) as is_untyped,
        array(
            select to_jsonb(pending_curves.cycle_index)
            from pending_curves
            where pending_curves.file_id = sections.file_id
        ) as cycles
    from sections
    inner join section_values on sections.file_id = section_values.file_id and sections.section = section_values.section
    where sections.file_id = any(array(select pending_curves.file_id from pending_curves))
),

{{ pending_parts(carried=['is_untyped', 'cycles']) }},

{{ section_column_sets("'cycles_interpolated'", carried=['is_untyped', 'cycles']) }},

arrays as (
    select
        column_sets.*,
        {%- for measurement in measurements %}
        {{ column_of('column_sets.columns', measurement) }} as {{ measurement }},
        {%- endfor %}
        {{ column_of('column_sets.columns', 'step_type') }} as step_type,
        case
            when column_sets.cycle is null then {{ column_of('column_sets.columns', 'cycle_index') }}
            else to_jsonb(array_fill({{ to_number('column_sets.cycle') }}, array[column_sets.row_count::integer]))
        end as cycle_numbers
    from column_sets
    {{ fence() }}
),

slices as (
    select
        arrays.*,
        first_of_slice.position as first_position,
        jsonb_path_query_array(
            arrays.cycle_numbers, '$[$first to $last]',
            jsonb_build_object('first', first_of_slice.position, 'last', first_of_slice.position + 999)
        ) as slice
    from arrays
    cross join lateral generate_series(0, jsonb_array_length(arrays.cycle_numbers) - 1, 1000) as first_of_slice (position)
    {{ fence() }}
),

-- a number is compared as JSON compares it, 9.0 with 9; only a string has to be taken for the number it may hold
places as (
    select
        slices.*,
        element.value as cycle_number,
        slices.first_position + element.ordinality::integer - 1 as position
    from slices
    cross join lateral jsonb_array_elements(slices.slice) with ordinality as element (value, ordinality)
    where
        -- to ask an array costs a hundredth of taking it apart, and few slices hold these cycles
        (slices.slice @> any(slices.cycles) or jsonb_path_exists(slices.slice, 'strict $[*] ? (@ >= "")'))
        and (element.value = any(slices.cycles) or jsonb_typeof(element.value) = 'string')
    {{ fence() }}
),

elements as (
    select
        places.file_id,
        places.is_untyped,
        places.cycles,
        places.first_row + places.position as point_index,
        {%- for measurement in measurements %}
        places.{{ measurement }} -> places.position as {{ measurement }},
        {%- endfor %}
        {{ to_number('places.cycle_number') }} as cycle_index,
        places.step_type -> places.position as step_type
    from places
    {{ fence() }}
),

numbers as (
    select
        elements.file_id,
        elements.is_untyped,
        elements.point_index,
        {%- for measurement in measurements %}
        {{ to_number('elements.' ~ measurement) }} as {{ measurement }},
        {%- endfor %}
        elements.cycle_index,
        {{ to_text('elements.step_type') }} as step_type
    from elements
    where to_jsonb(elements.cycle_index) = any(elements.cycles)
    {{ fence() }}
),

points as (
    select
        numbers.file_id,
        numbers.is_untyped,
        numbers.point_index,
        {%- for measurement in measurements %}
        {{ to_double('numbers.' ~ measurement) }} as {{ measurement }},
        {%- endfor %}
        numbers.cycle_index,
        numbers.step_type
    from numbers
    {{ fence() }}
),

{{ curves_of_points('pending_curves', measurements) }}

select * from final
