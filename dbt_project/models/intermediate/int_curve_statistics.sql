{{
    config(
        materialized='incremental' if target.type == 'postgres' else 'table',
        incremental_strategy='replace',
        unique_key=['battery_id', 'comparison'],
        indexes=[{'columns': ['battery_id', 'comparison'], 'unique': true}],
    )
}}

with

runs as (
    select * from {{ ref('int_runs') }}
),

early_curves as (
    select * from {{ ref('stg_early_curves') }}
),

batteries as (
    select distinct runs.battery_id
    from runs
),

curves as (
    select
        runs.battery_id,
        early_curves.cycle_index + runs.cycle_offset as cycle_index,
        early_curves.step_type,
        early_curves.charge_capacity,
        early_curves.discharge_capacity,
        early_curves.charge_energy,
        early_curves.discharge_energy
    from early_curves
    inner join runs on early_curves.file_id = runs.file_id
    where
        runs.run_number is not null
        and cardinality(early_curves.discharge_capacity) > 0
),

measured as (
    {%- for quantity, step, measurement in [
        ('charging_capacity', 'charge', 'charge_capacity'),
        ('discharging_capacity', 'discharge', 'discharge_capacity'),
        ('charging_energy', 'charge', 'charge_energy'),
        ('discharging_energy', 'discharge', 'discharge_energy'),
    ] %}
    {{ 'union all' if not loop.first }}
    select
        curves.battery_id,
        curves.cycle_index,
        '{{ quantity }}' as quantity,
        curves.{{ measurement }} as measurements
    from curves
    where curves.step_type = '{{ step }}'
    {%- endfor %}
),

comparisons as (
    select *
    from (
        values
        ('delta_q', 'discharging_capacity', 99, 9),
        ('charging_capacity', 'charging_capacity', 100, 10),
        ('discharging_capacity', 'discharging_capacity', 100, 10),
        ('charging_energy', 'charging_energy', 100, 10),
        ('discharging_energy', 'discharging_energy', 100, 10)
    ) as pairs_of_cycles (comparison, quantity, later_cycle, earlier_cycle)
),

-- point by point in document order, and by arrays: how that is done then depends on no estimate of the planner
differences as (
    select
        batteries.battery_id,
        comparisons.comparison,
        case
            when
                later.measurements is not null -- where it is, Spark has a cardinality of -1
                and cardinality(later.measurements) = cardinality(earlier.measurements)
                then {{ differences_of_pairs('later.measurements', 'earlier.measurements') }}
            else {{ no_doubles() }}
        end as differences
    from batteries
    cross join comparisons
    left join measured as later
        on
            batteries.battery_id = later.battery_id
            and comparisons.quantity = later.quantity
            and comparisons.later_cycle = later.cycle_index
    left join measured as earlier
        on
            batteries.battery_id = earlier.battery_id
            and comparisons.quantity = earlier.quantity
            and comparisons.earlier_cycle = earlier.cycle_index
    {{ fence() if target.type == 'postgres' }}
),

{{ moments_of('differences', 'differences') }},

shapes as (
    select
        moments.*,
        -- equal differences but for rounding have no shape (as in scipy.stats)
        moments.second_moment > power(1e-15 * moments.mean, 2) as has_shape
    from moments
),

shaped as (
    select
        shapes.*,
        case when shapes.has_shape then shapes.third_moment / power(shapes.second_moment, 1.5) end as skewness,
        case when shapes.has_shape then shapes.fourth_moment / power(shapes.second_moment, 2) end as kurtosis
    from shapes
),

final as (
    select
        shaped.battery_id,
        shaped.comparison,
        shaped.pairs,
        shaped.known_pairs,
        shaped.first,
        shaped.minimum,
        shaped.mean,
        shaped.sum_of_sizes,
        shaped.sum_of_squares,
        shaped.second_moment as variance,
        shaped.skewness,
        shaped.kurtosis,
        case
            when shaped.known_pairs > 3 then
                ((power(shaped.known_pairs, 2) - 1) * shaped.kurtosis - 3 * power(shaped.known_pairs - 1, 2))
                / ((shaped.known_pairs - 2) * (shaped.known_pairs - 3)) + 3
        end as kurtosis_unbiased
    from shaped
)

select * from final
