{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='id',
        pre_hook="{{ delete_vanished_batteries() }}",
    )
}}

with

files as (
    select * from {{ ref('battery_files') }}
),

lives as (
    select * from {{ ref('int_lives') }}
),

created as (
    select
        files.battery_id,
        min(files.loaded_at) as created_at
    from files
    group by files.battery_id
),

final as (
    select
        files.battery_id as id,
        files.barcode,
        files.protocol,
        files.channel_id,
        lives.cycle_life,
        created.created_at
    from files
    inner join created on files.battery_id = created.battery_id
    inner join lives on files.battery_id = lives.battery_id
    where files.run_number = 1
)

select * from final
