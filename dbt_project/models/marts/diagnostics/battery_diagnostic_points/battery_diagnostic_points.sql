{{
    config(
        materialized='incremental' if target.type == 'postgres' else 'view',
        incremental_strategy='append',
        indexes=[{'columns': ['battery_id', 'cycle_index']}],
        pre_hook="{{ delete_misplaced_points('int_runs', 'int_published_diagnostic_runs') }}",
        post_hook=["{{ note_published_runs('int_runs', 'int_published_diagnostic_runs') }}", "{{ analyze_new_rows() }}"],
    )
}}

with

{{ points('int_runs', 'int_published_diagnostic_runs', every=1, section='diagnostic_interpolated') }},

final as (
    select
        points.id,
        points.battery_id,
        points.cycle_index,
        points.cycle_type,
        {{ to_whole_number('points.step_index', lowest=-2147483648) }} as step_index,
        {{ to_whole_number('points.step_index_counter') }} as step_index_counter,
        {{ to_whole_number('points.step_type') }} as step_position,
        points.time,
        points.test_time,
        points.voltage,
        points.current_,
        points.temperature,
        points.charge_capacity,
        points.discharge_capacity,
        points.charge_energy,
        points.discharge_energy,
        points.internal_resistance,
        points.charge_dqdv,
        points.discharge_dqdv
    from points
    where
        points.cycle_index is not null
        and coalesce(
            points.time, points.test_time, points.voltage, points.current_, points.temperature, points.charge_capacity,
            points.discharge_capacity, points.charge_energy, points.discharge_energy, points.internal_resistance,
            points.charge_dqdv, points.discharge_dqdv
        ) is not null
)

select * from final
