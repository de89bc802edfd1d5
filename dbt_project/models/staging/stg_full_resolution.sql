{{ config(materialized='view') }}

with

in_database as (
    select * from {{ source('raw', 'full_resolution') }}
),

in_seed as (
    select * from {{ ref('full_resolution') }}
),

listed as (
    select in_database.barcode
    from in_database
    union all
    select in_seed.barcode
    from in_seed
),

final as (
    select distinct {{ clean_barcode('listed.barcode') }} as barcode
    from listed
    where {{ clean_barcode('listed.barcode') }} is not null
)

select * from final
