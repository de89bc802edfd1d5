with

batteries as (
    select * from {{ ref('batteries') }}
),

summaries as (
    select * from {{ ref('battery_summaries') }}
),

-- the cycler writes 0 where it measured none
measured as (
    select
        summaries.battery_id,
        summaries.cycle_index,
        summaries.dc_internal_resistance as resistance
    from summaries
    where summaries.dc_internal_resistance > 0
),

extremes as (
    select
        measured.battery_id,
        (array_agg(measured.resistance order by measured.cycle_index))[1] as first_resistance,
        max(measured.resistance) as highest_resistance,
        (array_agg(measured.cycle_index order by measured.resistance desc, measured.cycle_index asc))[1] as at_cycle
    from measured
    group by measured.battery_id
)

select
    batteries.barcode,
    batteries.protocol,
    extremes.first_resistance,
    extremes.highest_resistance,
    extremes.at_cycle,
    round((100 * (extremes.highest_resistance / extremes.first_resistance - 1))::numeric, 1) as rise_in_percent
from extremes
inner join batteries on extremes.battery_id = batteries.id
order by extremes.highest_resistance desc, batteries.barcode asc
