{{ config(severity='warn', enabled=target.type == 'postgres') }}

-- A pruned file whose place nobody takes any more, since that file is excluded: its battery lacks the rows of both.
with

runs as (
    select * from {{ ref('int_runs') }}
),

files as (
    select * from {{ ref('stg_files') }}
)

select
    runs.file_name,
    runs.barcode
from runs
inner join files on runs.file_id = files.file_id
where files.is_pruned and runs.superseded_by is null
