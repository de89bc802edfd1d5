{{
    config(
        materialized='incremental' if target.type == 'postgres' else 'view',
        incremental_strategy='append',
        indexes=[{'columns': ['battery_id', 'cycle_index']}],
        pre_hook="{{ delete_misplaced_points('int_full_resolution_runs', 'int_published_full_resolution_runs') }}",
        post_hook=[
            "{{ note_published_runs('int_full_resolution_runs', 'int_published_full_resolution_runs') }}",
            "{{ analyze_new_rows() }}",
        ],
    )
}}

with

{{ points(
    'int_full_resolution_runs',
    'int_published_full_resolution_runs',
    every=1,
    more=sections().cycles_interpolated.full_resolution,
) }},

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
        points.step_type,
        points.test_time,
        points.charge_energy,
        points.discharge_energy,
        points.internal_resistance,
        {{ to_whole_number('points.step_index', lowest=-2147483648) }} as step_index
    from points
    where points.cycle_index is not null
)

select * from final
