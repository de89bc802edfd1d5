{{ config(severity='warn') }}

-- Cells of Severson et al. 2019 whose cycle life here is not the published one, with the difference.
with

lives as (
    select * from {{ ref('battery_lives') }}
),

published as (
    select * from {{ ref('published_cycle_lives') }}
),

files as (
    select * from {{ ref('battery_files') }}
)

select
    files.file_name,
    lives.barcode,
    published.cycle_life as published_cycle_life,
    lives.cycle_life,
    lives.cycle_life - published.cycle_life as difference
from lives
inner join published on lives.barcode = published.barcode
inner join files on lives.battery_id = files.battery_id
where
    lives.cycle_life is distinct from published.cycle_life
    and files.run_number = 1
