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

ranked as (
    select
        measured.*,
        first_value(measured.resistance) over (
            partition by measured.battery_id order by measured.cycle_index
        ) as first_resistance,
        row_number() over (
            partition by measured.battery_id order by measured.resistance desc, measured.cycle_index asc
        ) as place
    from measured
)

select
    batteries.barcode,
    batteries.protocol,
    ranked.first_resistance,
    ranked.resistance as highest_resistance,
    ranked.cycle_index as at_cycle,
    {{ rounded('100 * (ranked.resistance / ranked.first_resistance - 1)', 1) }} as rise_in_percent
from ranked
inner join batteries on ranked.battery_id = batteries.id
where ranked.place = 1
order by ranked.resistance desc, batteries.barcode asc
