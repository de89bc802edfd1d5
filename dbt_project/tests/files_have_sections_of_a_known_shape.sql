{{ config(severity='warn') }}

-- A section in none of the five shapes, or none of whose columns is known, gives no rows; its file is named here.
with

sections as (
    select * from {{ ref('stg_sections') }}
),

files as (
    select * from {{ ref('stg_files') }}
)

select
    files.name as file_name,
    sections.section,
    {{ first_twenty('sections.column_names') }} as column_names
from sections
inner join files on sections.file_id = files.file_id
where sections.shape = 'unknown'
