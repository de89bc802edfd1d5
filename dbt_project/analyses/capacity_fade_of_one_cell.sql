-- dbt show --inline or psql < target/compiled/…; another cell: --vars 'barcode: EL150800460514'
with

batteries as (
    select * from {{ ref('batteries') }}
),

lives as (
    select * from {{ ref('battery_lives') }}
),

summaries as (
    select * from {{ ref('battery_summaries') }}
),

chosen as (
    select batteries.id
    from batteries
    where batteries.barcode = {{ chosen_barcode() }}
)

select
    summaries.cycle_index,
    summaries.discharge_capacity,
    {{ rounded('summaries.discharge_capacity / lives.nominal_capacity', 4) }} as share_of_nominal,
    lives.cycle_life,
    lives.reached_end_of_life
from chosen
inner join lives on chosen.id = lives.battery_id
inner join summaries on chosen.id = summaries.battery_id
-- cycle 0 is formation
where summaries.cycle_index > 0
order by summaries.cycle_index
