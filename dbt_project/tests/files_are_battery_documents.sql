{{ config(severity='warn') }}

-- A file with neither barcode nor a section gives no battery; it is named here.
with

headers as (
    select * from {{ ref('stg_headers') }}
),

files as (
    select * from {{ ref('stg_files') }}
),

battery_files as (
    select * from {{ ref('battery_files') }}
)

select files.name as file_name
from headers
inner join files on headers.file_id = files.file_id
left join battery_files on headers.file_id = battery_files.file_id
where battery_files.file_id is null
