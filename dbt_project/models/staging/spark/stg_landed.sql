{{ config(materialized='view', partition_by=none) }}

with

files as (
    select * from {{ source('raw', 'files') }}
),

final as (
    select
        files.file_id,
        files.name,
        {{ hexadecimal('files.sha256') }} as sha256,
        files.size_bytes,
        files.loaded_at,
        files.batch
    from files
)

select * from final
