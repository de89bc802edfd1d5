-- Q(V) of two cycles: the variance of their difference tells of life to come (Severson et al. 2019, cycles 100 and 10).
with

batteries as (
    select * from {{ ref('batteries') }}
),

points as (
    select * from {{ ref('battery_cycles_interpolated') }}
),

discharges as (
    select
        points.cycle_index,
        points.discharge_capacity,
        -- in steps of 10 mV, since cycles need not share a grid
        {{ rounded('points.voltage', 2) }} as voltage
    from points
    inner join batteries on points.battery_id = batteries.id
    where
        batteries.barcode = {{ chosen_barcode() }}
        and points.cycle_index in ({{ var('cycle_n', 100) }}, {{ var('cycle_m', 10) }})
        -- files of some versions name no step: there, discharge is where current is negative
        and coalesce(points.step_type = 'discharge', points.current_ < 0)
),

curves as (
    select
        discharges.voltage,
        avg(discharges.discharge_capacity) filter (where discharges.cycle_index = {{ var('cycle_n', 100) }}) as capacity_n,
        avg(discharges.discharge_capacity) filter (where discharges.cycle_index = {{ var('cycle_m', 10) }}) as capacity_m
    from discharges
    group by discharges.voltage
)

select
    curves.voltage,
    curves.capacity_n,
    curves.capacity_m,
    curves.capacity_n - curves.capacity_m as difference
from curves
order by curves.voltage desc
