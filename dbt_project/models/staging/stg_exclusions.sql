with

decided as (
    select * from {{ source('raw', 'exclusions') }}
),

listed as (
    select * from {{ ref('excluded_files') }}
),

together as (
    select
        decided.file,
        decided.reason,
        'loader exclude' as said_by
    from decided

    union all

    select
        listed.file,
        listed.reason,
        'seeds/excluded_files.csv' as said_by
    from listed
),

final as (
    select
        trim(together.file) as file,
        {{ without_gz("regexp_replace(trim(together.file), '^.*/', '')") }} as file_name,
        lower(trim(together.file)) as sha256,
        together.reason,
        together.said_by
    from together
    where trim(together.file) <> ''
)

select * from final
