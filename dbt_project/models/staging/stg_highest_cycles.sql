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
    select * from {{ ref('stg_headers') }}
),

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = 'cycles_interpolated' and row_count > 0
),

parts as (
    select * from {{ ref('stg_part_sections') }}
),

-- only a battery of several files is numbered on from run to run; of the others no one asks
barcodes as (
    select headers.barcode
    from headers
    group by headers.barcode
    having count(*) > 1
),

pending as (
    select sections.*
    from sections
    inner join headers on sections.file_id = headers.file_id
    inner join barcodes on headers.barcode = barcodes.barcode
    {% if is_incremental() %}
    where not exists (select 1 from {{ this }} as highest_cycles where highest_cycles.file_id = sections.file_id)
    {% endif %}
),

{{ pending_parts() }},

{{ section_column_sets('cycles_interpolated') }},

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

final as (
    select
        cycles.file_id,
        max({{ highest_cycle('cycles.cycle_index') }}) as highest_cycle
    from cycles
    group by cycles.file_id
)

select * from final
