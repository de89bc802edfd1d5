{{ config(unique_key='id') }}

with

runs as (
    select * from {{ ref('int_runs') }}
),

lives as (
    select * from {{ ref('int_lives') }}
),

created as (
    select
        runs.battery_id,
        min(runs.loaded_at) as created_at
    from runs
    group by runs.battery_id
),

final as (
    select
        runs.battery_id as id,
        runs.barcode,
        runs.protocol,
        runs.channel_id,
        lives.cycle_life,
        created.created_at
    from runs
    inner join created on runs.battery_id = created.battery_id
    inner join lives on runs.battery_id = lives.battery_id
    where runs.run_number = 1
)

select * from final
