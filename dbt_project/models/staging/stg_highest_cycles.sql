{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

with

documents as (
    select * from {{ ref('stg_documents') }}
),

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = 'cycles_interpolated' and row_count > 0
),

parts as (
    select * from {{ ref('stg_parts') }}
),

-- only a battery of several files is numbered on from run to run; of the others no one asks
barcodes as (
    select documents.barcode
    from documents
    group by documents.barcode
    having count(*) > 1
),

pending as (
    select sections.*
    from sections
    inner join documents on sections.file_id = documents.file_id
    inner join barcodes on documents.barcode = barcodes.barcode
    {% if is_incremental() %}
    where not exists (select 1 from {{ this }} as highest_cycles where highest_cycles.file_id = sections.file_id)
    {% endif %}
),

pending_parts as (
    select
        parts.file_id,
        parts.part_no
    from pending
    inner join parts
        on
            pending.file_id = parts.file_id
            and pending.section = parts.section
            and pending.is_nested = parts.is_nested
),

{{ section_column_sets('cycles_interpolated') }},

cycles as (
    select
        column_sets.file_id,
        case
            when column_sets.cycle is null then {{ column_of('column_sets.columns', 'cycle_index') }}
            when column_sets.row_count > 0 then jsonb_build_array(column_sets.cycle)
        end as cycle_index
    from column_sets
    offset 0
),

final as (
    select
        cycles.file_id,
        max({{ highest_cycle('cycles.cycle_index') }}) as highest_cycle
    from cycles
    group by cycles.file_id
)

select * from final
