-- the cycle is part of the key for speed: ids alone hash badly (macros/postgres/test_unique.sql)
{{ config(unique_key=['id', 'cycle_index']) }}

with

summaries as (
    select * from {{ ref('int_summaries') }}
),

nominal as (
    select * from {{ ref('int_nominal_capacities') }}
),

final as (
    select
        summaries.id,
        summaries.battery_id,
        summaries.cycle_index,
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
        summaries.charge_throughput,
        summaries.energy_throughput,
        summaries.charge_duration,
        summaries.time_temperature_integrated,
        summaries.paused,
        summaries.discharge_capacity >= nominal.full_cycle_capacity as is_full_cycle
    from summaries
    left join nominal on summaries.battery_id = nominal.battery_id
    order by summaries.id
)

select * from final
