{{ config(unique_key='battery_id') }}

with

lives as (
    select * from {{ ref('int_lives') }}
),

batteries as (
    select * from {{ ref('batteries') }}
),

final as (
    select
        lives.battery_id,
        batteries.barcode,
        lives.cell,
        lives.nominal_capacity,
        lives.nominal_capacity_source,
        lives.end_of_life_capacity,
        lives.cycles_completed,
        lives.full_cycles,
        lives.cycle_life,
        lives.cycle_life_severson,
        lives.cycle_life_beep,
        lives.cycle_life_observed,
        lives.reached_end_of_life
    from lives
    inner join batteries on lives.battery_id = batteries.id
)

select * from final
