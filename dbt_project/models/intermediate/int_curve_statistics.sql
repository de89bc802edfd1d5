{{
    config(
        materialized='incremental',
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
            when cardinality(later.measurements) = cardinality(earlier.measurements)
                then array(
                    select {{ bounded_difference('bounded.later', 'bounded.earlier') }}
                    from (
                        select
                            pairs.position,
                            {{ bounded('pairs.later') }} as later,
                            {{ bounded('pairs.earlier') }} as earlier
                        from unnest(later.measurements, earlier.measurements) with ordinality as pairs (later, earlier, position)
                    ) as bounded
                    order by bounded.position
                )
            else '{}'::double precision[]
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
    {{ fence() }}
),

moments as (
    select
        differences.battery_id,
        differences.comparison,
        cardinality(differences.differences) as pairs,
        means.known_pairs,
        means.first,
        means.minimum,
        means.mean,
        sums.sum_of_sizes,
        sums.sum_of_squares,
        sums.second_moment,
        -- equal differences but for rounding have no shape (as in scipy.stats)
        case
            when sums.second_moment > (1e-15 * means.mean) ^ 2 then sums.third_moment / sums.second_moment ^ 1.5
        end as skewness,
        case
            when sums.second_moment > (1e-15 * means.mean) ^ 2 then sums.fourth_moment / sums.second_moment ^ 2
        end as kurtosis
    from differences
    cross join
        lateral (
            select
                count(pair.difference) as known_pairs,
                min(pair.difference) filter (where pair.position = 1) as first,
                min(pair.difference) as minimum,
                avg(pair.difference) as mean
            from unnest(differences.differences) with ordinality as pair (difference, position)
        ) as means
    -- sums, for `avg` squares what it is given
    cross join lateral (
        select
            sum(abs(pair.difference)) as sum_of_sizes,
            sum(pair.difference ^ 2) as sum_of_squares,
            sum((pair.difference - means.mean) ^ 2) / means.known_pairs as second_moment,
            sum((pair.difference - means.mean) ^ 3) / means.known_pairs as third_moment,
            sum((pair.difference - means.mean) ^ 4) / means.known_pairs as fourth_moment
        from unnest(differences.differences) as pair (difference)
    ) as sums
),

final as (
    select
        moments.battery_id,
        moments.comparison,
        moments.pairs,
        moments.known_pairs,
        moments.first,
        moments.minimum,
        moments.mean,
        moments.sum_of_sizes,
        moments.sum_of_squares,
        moments.second_moment as variance,
        moments.skewness,
        moments.kurtosis,
        case
            when moments.known_pairs > 3 then
                ((moments.known_pairs::float8 ^ 2 - 1) * moments.kurtosis - 3 * (moments.known_pairs::float8 - 1) ^ 2)
                / ((moments.known_pairs::float8 - 2) * (moments.known_pairs::float8 - 3)) + 3
        end as kurtosis_unbiased
    from moments
)

select * from final
