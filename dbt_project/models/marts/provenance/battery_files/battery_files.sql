{{ config(unique_key='file_id') }}

with

runs as (
    select * from {{ ref('int_runs') }}
),

final as (
    select
        runs.file_id,
        runs.battery_id,
        runs.barcode,
        runs.file_name,
        runs.sha256,
        runs.loaded_at,
        runs.protocol,
        runs.channel_id,
        runs.first_record_at,
        runs.last_record_at,
        runs.superseded_by,
        runs.run_number,
        runs.cycle_offset,
        runs.charge_throughput_offset,
        runs.energy_throughput_offset
    from runs
)

select * from final
