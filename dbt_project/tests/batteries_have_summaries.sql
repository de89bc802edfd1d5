{{ config(severity='warn') }}

-- A battery without a single summary cycle: its files have none, or in no known shape.
with

batteries as (
    select * from {{ ref('batteries') }}
),

files as (
    select * from {{ ref('battery_files') }}
),

summaries as (
    select * from {{ ref('battery_summaries') }}
)

select
    files.file_name,
    batteries.barcode
from batteries
inner join files on batteries.id = files.battery_id
where not exists (select 1 from summaries where summaries.battery_id = batteries.id)
