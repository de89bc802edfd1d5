{{ config(materialized='view') }}

with

landed as (
    select * from {{ ref('stg_landed') }}
),

exclusions as (
    select * from {{ ref('stg_exclusions') }}
),

final as (
    select
        landed.file_id,
        landed.name,
        landed.sha256,
        landed.size_bytes,
        landed.loaded_at,
        false as is_pruned
    from landed
    where
        {{ without_gz('landed.name') }} not in (select exclusions.file_name from exclusions)
        and landed.sha256 not in (select exclusions.sha256 from exclusions)
)

select * from final
