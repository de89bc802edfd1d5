with

files as (
    select * from {{ source('raw', 'files') }}
),

excluded_files as (
    select * from {{ ref('excluded_files') }}
),

final as (
    select
        files.file_id,
        files.name,
        encode(files.sha256, 'hex') as sha256,
        files.size_bytes,
        files.loaded_at
    from files
    -- as arrays, not `not exists`: the planner takes that to leave hardly a row, and then plans for none
    where
        files.name <> all(array(select excluded_files.file from excluded_files))
        and encode(files.sha256, 'hex') <> all(array(select excluded_files.file from excluded_files))
)

select * from final
