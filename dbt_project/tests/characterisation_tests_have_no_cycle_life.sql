{{ config(severity='warn') }}

-- Fewer than half of the cycles of known capacity are full: the test characterises the cell, and its lives are NULL.
with

summaries as (
    select * from {{ ref('battery_summaries') }}
),

lives as (
    select * from {{ ref('battery_lives') }}
),

files as (
    select * from {{ ref('battery_files') }}
),

known as (
    select
        summaries.battery_id,
        count(summaries.discharge_capacity) as known_cycles
    from summaries
    group by summaries.battery_id
)

select
    files.file_name,
    lives.barcode,
    lives.full_cycles,
    known.known_cycles,
    lives.nominal_capacity
from lives
inner join known on lives.battery_id = known.battery_id
inner join files on lives.battery_id = files.battery_id
where files.run_number = 1 and 2 * lives.full_cycles < known.known_cycles
