{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

with

headers as (
    select
        *,
        count(*) over (partition by barcode) as files_of_barcode
    from {{ ref('stg_headers') }}
),

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section <> 'summary' and row_count > 0
),

-- only a battery of several files is numbered on from run to run; of the others no one asks
pending as (
    select sections.*
    from sections
    inner join headers on sections.file_id = headers.file_id
    where
        headers.files_of_barcode > 1
        and {{ is_new('sections.file_id') }}
),

{{ pending_parts(carried=['section']) }},

{{ section_column_sets('loaded.section') }},

cycles as (
    select
        column_sets.file_id,
        case
            when column_sets.cycle is null then {{ column_of('column_sets.columns', 'cycle_index') }}
            when column_sets.row_count > 0 then jsonb_build_array(column_sets.cycle)
        end as cycle_index
    from column_sets
    {{ fence() }}
),

numbers as (
    select
        cycles.file_id,
        {{ to_number('element.value') }} as cycle_index
    from cycles
    left join lateral jsonb_array_elements(cycles.cycle_index) as element on true
    {{ fence() }}
),

doubles as (
    select
        numbers.file_id,
        {{ to_double('numbers.cycle_index') }} as cycle_index
    from numbers
    {{ fence() }}
),

final as (
    select
        doubles.file_id,
        max({{ to_whole_number('doubles.cycle_index') }}) as highest_cycle
    from doubles
    group by doubles.file_id
)

select * from final
