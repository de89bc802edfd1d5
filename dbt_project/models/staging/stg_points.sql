{{ config(materialized='view') }}

with

even as (
    select * from {{ ref('stg_points_even') }}
),

odd as (
    select * from {{ ref('stg_points_odd') }}
),

final as (
    select * from even
    union all
    select * from odd
)

select * from final
