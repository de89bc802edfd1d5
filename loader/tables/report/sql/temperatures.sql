with summaries as (
    select
        *,
        ceil((max(cycle_index) over () + 1) / 150.0)::integer as width
    from battery.battery_summaries
    where battery_id = any(%(ids)s)
)

select
    cycle_index / width * width as cycle,
    percentile_cont(0.05) within group (order by temperature_minimum) as coldest,
    percentile_cont(0.5) within group (order by temperature_average) as temperature,
    percentile_cont(0.95) within group (order by temperature_maximum) as hottest
from summaries
group by cycle_index / width * width
having count(temperature_average) > 0
order by 1
