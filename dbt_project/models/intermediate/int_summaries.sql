with

summaries as (
    select * from {{ ref('stg_summaries') }}
),

runs as (
    select * from {{ ref('int_runs') }}
),

final as (
    select
        {{ row_id('summaries.file_id', 'summaries.summary_index') }} as id,
        runs.battery_id,
        (summaries.cycle_index + runs.cycle_offset)::integer as cycle_index,
        summaries.discharge_capacity,
        summaries.charge_capacity,
        summaries.discharge_energy,
        summaries.charge_energy,
        summaries.dc_internal_resistance,
        summaries.temperature_maximum,
        summaries.temperature_average,
        summaries.temperature_minimum,
        summaries.date_time_iso,
        summaries.energy_efficiency,
        {{ total('summaries.charge_throughput', 'runs.charge_throughput_offset') }} as charge_throughput,
        {{ total('summaries.energy_throughput', 'runs.energy_throughput_offset') }} as energy_throughput,
        summaries.charge_duration,
        summaries.time_temperature_integrated,
        case when summaries.paused > 0 then 1 when summaries.paused is not null then 0 end as paused
    from summaries
    inner join runs on summaries.file_id = runs.file_id
    where
        summaries.is_latest_of_cycle
        and runs.run_number is not null
        and summaries.cycle_index + runs.cycle_offset <= 2147483647
)

select * from final
