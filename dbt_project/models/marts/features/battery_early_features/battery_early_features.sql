{{ config(unique_key='battery_id') }}

with

batteries as (
    select * from {{ ref('batteries') }}
),

summaries as (
    select * from {{ ref('int_ordered_summaries') }}
),

delta_q as (
    select *
    from {{ ref('int_curve_statistics') }}
    where comparison = 'delta_q'
),

-- `cycles_before` counts from 0: cycle 2 of the names is 1 here, cycle 100 is 99
early as (
    select
        summaries.battery_id,
        count(*)::integer as summary_cycles,
        max(summaries.discharge_capacity) filter (where summaries.cycles_before = 1) as discharge_capacity_cycle_2,
        max(summaries.discharge_capacity) filter (where summaries.cycles_before = 99) as discharge_capacity_cycle_100,
        {{ mean_in_order(
            'case when summaries.cycles_before between 1 and 5 then summaries.charge_duration end', 'summaries.cycles_before'
        ) }} as charge_time_2_to_6,
        max(summaries.dc_internal_resistance) filter (where summaries.cycles_before = 1) as internal_resistance_cycle_2,
        max(summaries.dc_internal_resistance) filter (where summaries.cycles_before = 99) as internal_resistance_cycle_100
    from summaries
    group by summaries.battery_id
),

medians as (
    select
        summaries.battery_id,
        {{ median('summaries.discharge_capacity') }} as nominal_capacity_by_median
    from summaries
    where summaries.cycles_before < 40
    group by summaries.battery_id
    having count(summaries.discharge_capacity) = count(*)
),

fade_2_to_100 as (
    select
        summaries.battery_id,
        {{ regression('slope', 'summaries.discharge_capacity', 'summaries.cycles_before') }} as slope,
        {{ regression('intercept', 'summaries.discharge_capacity', 'summaries.cycles_before') }} as intercept
    from summaries
    where summaries.cycles_before between 1 and 99
    group by summaries.battery_id
    having count(summaries.discharge_capacity) = 99
),

fade_91_to_100 as (
    select
        summaries.battery_id,
        {{ regression('slope', 'summaries.discharge_capacity', 'summaries.cycles_before') }} as slope,
        {{ regression('intercept', 'summaries.discharge_capacity', 'summaries.cycles_before') }} as intercept
    from summaries
    where summaries.cycles_before between 90 and 99
    group by summaries.battery_id
    having count(summaries.discharge_capacity) = 10
),

first_hundred as (
    select
        summaries.battery_id,
        max(summaries.discharge_capacity) as discharge_capacity_maximum,
        {{ sum_in_order('summaries.time_temperature_integrated', 'summaries.cycles_before') }}
            as time_temperature_integral_1_to_100,
        max(summaries.temperature_maximum) filter (where summaries.cycles_before > 0) as temperature_maximum_2_to_100,
        min(summaries.temperature_minimum) filter (where summaries.cycles_before > 0) as temperature_minimum_2_to_100,
        -- the cycler writes 0 where it measured none
        min(nullif(summaries.dc_internal_resistance, 0))
        filter (where summaries.cycles_before > 0) as internal_resistance_minimum_2_to_100
    from summaries
    where summaries.cycles_before <= 99
    group by summaries.battery_id
    having count(*) = 100
),

final as (
    select
        batteries.id as battery_id,
        batteries.barcode,
        coalesce(early.summary_cycles, 0) as summary_cycles,
        early.discharge_capacity_cycle_2,
        early.discharge_capacity_cycle_100,
        first_hundred.discharge_capacity_maximum - early.discharge_capacity_cycle_2 as discharge_capacity_rise,
        medians.nominal_capacity_by_median,
        fade_2_to_100.slope as fade_slope_2_to_100,
        fade_2_to_100.intercept as fade_intercept_2_to_100,
        fade_91_to_100.slope as fade_slope_91_to_100,
        fade_91_to_100.intercept as fade_intercept_91_to_100,
        early.charge_time_2_to_6,
        first_hundred.time_temperature_integral_1_to_100,
        first_hundred.temperature_maximum_2_to_100,
        first_hundred.temperature_minimum_2_to_100,
        early.internal_resistance_cycle_2,
        first_hundred.internal_resistance_minimum_2_to_100,
        early.internal_resistance_cycle_100 - early.internal_resistance_cycle_2 as internal_resistance_rise_2_to_100,
        coalesce(delta_q.pairs, 0) as delta_q_points,
        {{ log_size('delta_q.minimum') }} as delta_q_log_minimum,
        {{ log_size('delta_q.mean') }} as delta_q_log_mean,
        {{ log_size('delta_q.variance') }} as delta_q_log_variance,
        -- of a curve with a gap BEEP gives no shape
        case when delta_q.known_pairs = delta_q.pairs then {{ log_size('delta_q.skewness') }} end as delta_q_log_skewness,
        case when delta_q.known_pairs = delta_q.pairs then {{ log_size('(delta_q.kurtosis - 3)') }} end as delta_q_log_kurtosis,
        {{ log_size('delta_q.first') }} as delta_q_log_first
    from batteries
    left join early on batteries.id = early.battery_id
    left join medians on batteries.id = medians.battery_id
    left join fade_2_to_100 on batteries.id = fade_2_to_100.battery_id
    left join fade_91_to_100 on batteries.id = fade_91_to_100.battery_id
    left join first_hundred on batteries.id = first_hundred.battery_id
    left join delta_q on batteries.id = delta_q.battery_id
)

select * from final
