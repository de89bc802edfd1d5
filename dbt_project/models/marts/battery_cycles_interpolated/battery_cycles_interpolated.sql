{{
    config(
        materialized='incremental' if target.type == 'postgres' else 'view',
        incremental_strategy='append',
        indexes=[
            {'columns': ['battery_id', 'cycle_index']},
            {'columns': ['cycle_index']},
            {'columns': ['time', 'voltage', 'current_', 'temperature', 'charge_capacity', 'discharge_capacity'], 'type': 'brin'},
        ],
        pre_hook="{{ delete_misplaced_points('int_runs', 'int_published_runs') }}",
        post_hook=["{{ note_published_runs('int_runs', 'int_published_runs') }}", "{{ analyze_new_rows() }}"],
    )
}}

with

{{ points('int_runs', 'int_published_runs', every=var('sample_every')) }},

final as (
    select
        points.id,
        points.battery_id,
        points.cycle_index,
        points.time,
        points.voltage,
        points.current_,
        points.temperature,
        points.charge_capacity,
        points.discharge_capacity,
        points.step_type
    from points
    where coalesce(
        points.time, points.voltage, points.current_, points.temperature, points.charge_capacity, points.discharge_capacity
    ) is not null
)

select * from final
