with

files as (
    select * from {{ source('raw', 'files') }}
),

exclusions as (
    select * from {{ ref('stg_exclusions') }}
),

final as (
    select
        files.file_id,
        files.name,
        encode(files.sha256, 'hex') as sha256,
        files.size_bytes,
        files.loaded_at,
        files.pruned_at is not null as is_pruned
    from files
    -- as arrays, not `not exists`: the planner takes that to leave hardly a row, and then plans for none
    where
        {{ without_gz('files.name') }} <> all(array(select exclusions.file_name from exclusions))
        and encode(files.sha256, 'hex') <> all(array(select exclusions.sha256 from exclusions))
)

select * from final
