{{ config(severity='warn') }}
{{- prefer_indexes() }}

-- Capacities beyond one and a half times nominal, and voltages more than 0.2 V outside the window of the cell type.
with

cell_types as (
    select * from {{ ref('stg_cell_types') }}
),

summaries as (
    select * from {{ ref('battery_summaries') }}
),

points as (
    select * from {{ ref('battery_cycles_interpolated') }}
),

files as (
    select * from {{ ref('battery_files') }}
),

battery_lives as (
    select * from {{ ref('battery_lives') }}
),

lives as (
    select
        battery_lives.battery_id,
        cell_types.nominal_capacity,
        cell_types.voltage_minimum - 0.2 as lowest,
        cell_types.voltage_maximum + 0.2 as highest
    from battery_lives
    inner join cell_types on battery_lives.nominal_capacity_source = 'cell type ' || cell_types.pattern
),

suspects as (
    select
        summaries.id,
        summaries.cycle_index,
        'discharge_capacity' as column_name,
        summaries.discharge_capacity as value,
        0 as lowest,
        1.5 * lives.nominal_capacity as highest
    from summaries
    inner join lives on summaries.battery_id = lives.battery_id
    where summaries.discharge_capacity > 1.5 * lives.nominal_capacity

    union all

    select
        points.id,
        points.cycle_index,
        'voltage' as column_name,
        points.voltage as value,
        lives.lowest,
        lives.highest
    from points
    inner join lives on points.battery_id = lives.battery_id
    where
        not points.voltage between lives.lowest and lives.highest
        -- says nothing more, but is asked of the index alone
        and (
            points.voltage < (select max(windows.lowest) from lives as windows)
            or points.voltage > (select min(windows.highest) from lives as windows)
        )
)

select
    files.file_name,
    suspects.*
from suspects
left join files on suspects.id >> 32 = files.file_id
