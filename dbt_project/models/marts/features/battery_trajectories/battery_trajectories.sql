{{ config(unique_key=['battery_id', 'capacity_share']) }}

with

batteries as (
    select * from {{ ref('batteries') }}
),

lives as (
    select * from {{ ref('int_lives') }}
),

summaries as (
    select * from {{ ref('int_ordered_summaries') }}
),

last_cycles as (
    select
        summaries.battery_id,
        summaries.cycle_count,
        {{ bounded_difference('summaries.discharge_capacity', '0') }} as discharge_capacity
    from summaries
    where summaries.cycles_before = summaries.cycle_count - 1
),

medians as (
    select
        summaries.battery_id,
        {{ median('summaries.discharge_capacity') }} as capacity
    from summaries
    where summaries.cycles_before < 40 and summaries.cycle_count > 40
    group by summaries.battery_id
    having count(summaries.discharge_capacity) = 40
),

-- with 40 cycles or fewer BEEP takes 1.1 Ah, which is the cell of the fast-charge study
nominal as (
    select
        last_cycles.battery_id,
        last_cycles.discharge_capacity as last_capacity,
        case
            when last_cycles.cycle_count > 40 then medians.capacity
            when lives.cell is not null and lives.nominal_capacity = 1.1 then lives.nominal_capacity
        end as nominal_capacity
    from last_cycles
    inner join batteries on last_cycles.battery_id = batteries.id
    inner join lives on last_cycles.battery_id = lives.battery_id
    left join medians on last_cycles.battery_id = medians.battery_id
),

lasting as (
    select
        nominal.battery_id,
        nominal.nominal_capacity,
        case
            when abs(nominal.nominal_capacity) > 1e-60 then nominal.last_capacity / nominal.nominal_capacity
        end as relative_last_capacity
    from nominal
),

thresholds as (
    select
        lasting.battery_id,
        shares.capacity_share,
        shares.capacity_share::{{ double() }} * lasting.nominal_capacity as capacity,
        lasting.relative_last_capacity <= shares.capacity_share::{{ double() }} as is_reached
    from lasting
    cross join (values (0.98), (0.95), (0.92), (0.89), (0.86), (0.83), (0.80)) as shares (capacity_share)
),

first_below as (
    select
        thresholds.battery_id,
        thresholds.capacity_share,
        min(summaries.cycle_index) as cycle_index,
        min(summaries.cycles_before) as cycles_before
    from thresholds
    inner join summaries
        on
            thresholds.battery_id = summaries.battery_id
            and thresholds.capacity > summaries.discharge_capacity
    where thresholds.is_reached
    group by thresholds.battery_id, thresholds.capacity_share
),

final as (
    select
        thresholds.battery_id,
        thresholds.capacity_share::numeric(3, 2) as capacity_share,
        first_below.cycle_index,
        first_below.cycles_before::integer as cycles_before
    from thresholds
    left join first_below
        on
            thresholds.battery_id = first_below.battery_id
            and thresholds.capacity_share = first_below.capacity_share
)

select * from final
