with cycles as (
    select
        battery_id,
        count(*)::integer as cycles,
        min(date_time_iso) as first_at,
        max(date_time_iso) as last_at,
        (
            array_agg(discharge_capacity order by cycle_index desc)
            filter (where is_full_cycle)
        )[1
        ] as last_capacity,
        max(cycle_index) as last_cycle
    from battery.battery_summaries
    group by battery_id
),

files as (
    select
        battery_id,
        count(run_number)::integer as runs,
        count(superseded_by)::integer as superseded,
        array_agg(file_name order by run_number) filter (where run_number is not null) as names
    from battery.battery_files
    group by battery_id
)

select
    batteries.id,
    batteries.barcode,
    batteries.protocol,
    batteries.channel_id,
    lives.cell,
    lives.nominal_capacity,
    lives.nominal_capacity_source,
    lives.end_of_life_capacity,
    coalesce(cycles.cycles, 0) as cycles,
    coalesce(lives.full_cycles, 0) as full_cycles,
    cycles.last_cycle,
    batteries.cycle_life,
    lives.cycle_life_severson,
    lives.cycle_life_beep,
    coalesce(lives.reached_end_of_life, false) as reached_end_of_life,
    cycles.first_at,
    cycles.last_at,
    cycles.last_capacity,
    coalesce(files.runs, 0) as runs,
    coalesce(files.superseded, 0) as superseded,
    files.names
from battery.batteries as batteries
left join battery.battery_lives as lives on batteries.id = lives.battery_id
left join cycles on batteries.id = cycles.battery_id
left join files on batteries.id = files.battery_id
order by batteries.barcode
