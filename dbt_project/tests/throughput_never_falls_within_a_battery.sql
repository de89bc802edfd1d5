{{ config(severity='warn') }}

-- Charge and energy put in are counted up from the start of the first run.
with

summaries as (
    select * from {{ ref('battery_summaries') }}
),

files as (
    select * from {{ ref('battery_files') }}
),

throughputs as (
    select
        summaries.id,
        summaries.battery_id,
        summaries.cycle_index,
        summaries.charge_throughput,
        summaries.energy_throughput,
        max(summaries.charge_throughput) over earlier as charge_before,
        max(summaries.energy_throughput) over earlier as energy_before
    from summaries
    window earlier as (
        partition by summaries.battery_id
        order by summaries.cycle_index
        rows between unbounded preceding and 1 preceding
    )
)

select
    files.file_name,
    throughputs.*
from throughputs
left join files on throughputs.id >> 32 = files.file_id
where
    throughputs.charge_throughput < throughputs.charge_before
    or throughputs.energy_throughput < throughputs.energy_before
