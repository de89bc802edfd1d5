{{ config(materialized='view') }}

with

cycles as (
    select * from {{ ref('stg_cycles') }}
),

final as (
    select
        cycles.file_id,
        max(cycles.cycle_index) as highest_cycle
    from cycles
    group by cycles.file_id
)

select * from final
