{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['battery_id', 'cycle_index']}, {'columns': ['cycle_index']}],
        pre_hook="{{ delete_misplaced_points() }}",
    )
}}

with

points as (
    select * from {{ ref('stg_points') }}
),

runs as (
    select *
    from {{ ref('int_runs') }}
    where run_number is not null
),

-- a file's rows are published in one transaction, so that the first proves them all
pending as (
    select
        runs.file_id,
        runs.battery_id,
        runs.cycle_offset
    from runs
    {% if is_incremental() %}
    where
        not exists (
            select 1
            from {{ this }} as published
            where
                published.id >= {{ row_id('runs.file_id', 0) }}
                and published.id < {{ row_id('(runs.file_id + 1)', 0) }}
        )
    {% endif %}
),

final as (
    select
        {{ row_id('points.file_id', 'points.point_index') }} as id,
        pending.battery_id,
        (points.cycle_index + pending.cycle_offset)::integer as cycle_index,
        points.time,
        points.voltage,
        points.current_,
        points.temperature,
        points.charge_capacity,
        points.discharge_capacity,
        points.step_type
    from points
    inner join pending on points.file_id = pending.file_id
    where
        points.file_id = any(array(select wanted.file_id from pending as wanted))
        and points.cycle_index + pending.cycle_offset <= 2147483647
        and coalesce(
            points.time, points.voltage, points.current_, points.temperature, points.charge_capacity, points.discharge_capacity
        ) is not null
)

select * from final
