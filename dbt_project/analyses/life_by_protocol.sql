with

batteries as (
    select * from {{ ref('batteries') }}
),

lives as (
    select * from {{ ref('battery_lives') }}
)

select
    batteries.protocol,
    count(*) as cells,
    count(*) filter (where lives.reached_end_of_life) as cells_at_end_of_life,
    percentile_cont(0.5) within group (order by lives.cycle_life) filter (where lives.reached_end_of_life) as median_cycle_life,
    min(lives.cycle_life) filter (where lives.reached_end_of_life) as shortest_cycle_life,
    max(lives.cycle_life) filter (where lives.reached_end_of_life) as longest_cycle_life
from batteries
inner join lives on batteries.id = lives.battery_id
group by batteries.protocol
order by median_cycle_life desc nulls last, batteries.protocol asc
