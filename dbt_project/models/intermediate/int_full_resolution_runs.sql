with

runs as (
    select * from {{ ref('int_runs') }}
),

full_resolution as (
    select * from {{ ref('stg_full_resolution') }}
),

final as (
    select
        runs.file_id,
        runs.battery_id,
        runs.run_number,
        runs.cycle_offset
    from runs
    where
        runs.barcode in (select full_resolution.barcode from full_resolution)
        or exists (select 1 from full_resolution where full_resolution.barcode = '*')
)

select * from final
