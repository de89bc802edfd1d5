{{ config(severity='warn') }}

-- A file with neither barcode nor a section gives no battery; it is named here.
with

documents as (
    select * from {{ ref('stg_documents') }}
),

files as (
    select * from {{ ref('stg_files') }}
),

battery_files as (
    select * from {{ ref('battery_files') }}
)

select files.name as file_name
from documents
inner join files on documents.file_id = files.file_id
left join battery_files on documents.file_id = battery_files.file_id
where battery_files.file_id is null
