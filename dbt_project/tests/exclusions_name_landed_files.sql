{{ config(severity='warn') }}

-- A line that hits no landed file does nothing: a slip in it, or a file that is yet to come.
with

exclusions as (
    select * from {{ ref('stg_exclusions') }}
),

files as (
    select * from {{ source('raw', 'files') }}
)

select
    exclusions.file,
    exclusions.reason,
    exclusions.said_by
from exclusions
left join files
    on exclusions.file_name = {{ without_gz('files.name') }} or exclusions.sha256 = {{ hexadecimal('files.sha256') }}
where files.file_id is null
