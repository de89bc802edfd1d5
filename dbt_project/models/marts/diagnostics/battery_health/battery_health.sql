{{ config(unique_key=['battery_id', 'cycle_index', 'quantity']) }}

with

diagnostics as (
    select * from {{ ref('battery_diagnostic_summaries') }}
),

summaries as (
    select * from {{ ref('int_summaries') }}
),

-- BEEP leaves out cycle 0, which is formation
cycles as (
    select
        diagnostics.battery_id,
        diagnostics.cycle_index,
        true as is_diagnostic,
        diagnostics.discharge_capacity,
        diagnostics.discharge_energy
    from diagnostics

    union all

    select
        summaries.battery_id,
        summaries.cycle_index,
        false as is_diagnostic,
        summaries.discharge_capacity,
        summaries.discharge_energy
    from summaries
    where
        summaries.cycle_index > 0
        and summaries.battery_id in (select diagnostics.battery_id from diagnostics)
        and not exists (
            select 1
            from diagnostics
            where
                diagnostics.battery_id = summaries.battery_id
                and diagnostics.cycle_index = summaries.cycle_index
        )
),

ordered as (
    select
        cycles.*,
        cycles.cycle_index - row_number() over (
            partition by cycles.battery_id, cycles.is_diagnostic order by cycles.cycle_index
        ) as stretch
    from cycles
),

quantities as (
    select
        ordered.battery_id,
        ordered.cycle_index,
        ordered.is_diagnostic,
        ordered.stretch,
        quantities.quantity,
        case quantities.quantity
            when 'capacity' then {{ bounded('ordered.discharge_capacity') }}
            else {{ bounded('ordered.discharge_energy') }}
        end as discharged
    from ordered
    cross join (values ('capacity'), ('energy')) as quantities (quantity)
),

-- the numbers of a stretch have no gap: regular cycles of several stretches have one after the first
stretches as (
    select
        quantities.battery_id,
        quantities.quantity,
        quantities.stretch,
        max(quantities.cycle_index) as last_cycle,
        count(*) over (partition by quantities.battery_id, quantities.quantity) as stretch_count,
        max(max(quantities.cycle_index)) over (
            partition by quantities.battery_id, quantities.quantity
        ) as last_regular_cycle,
        row_number() over (
            partition by quantities.battery_id, quantities.quantity order by quantities.stretch
        ) as place,
        coalesce({{ sum_in_order('quantities.discharged', 'quantities.cycle_index') }}, 0) as throughput
    from quantities
    where not quantities.is_diagnostic
    group by quantities.battery_id, quantities.quantity, quantities.stretch
),

initial as (
    select
        stretches.battery_id,
        stretches.quantity,
        stretches.last_regular_cycle,
        case when stretches.stretch_count > 1 then stretches.throughput end as throughput
    from stretches
    where stretches.place = 1
),

throughputs as (
    select
        quantities.*,
        coalesce(sum(case when not quantities.is_diagnostic then quantities.discharged end) over earlier, 0)
            as regular_throughput,
        coalesce(sum(case when quantities.is_diagnostic then quantities.discharged end) over earlier, 0)
            as diagnostic_throughput
    from quantities
    window earlier as (
        partition by quantities.battery_id, quantities.quantity
        order by quantities.cycle_index
        rows between unbounded preceding and 1 preceding
    )
),

health as (
    select
        throughputs.battery_id,
        throughputs.cycle_index,
        throughputs.quantity,
        {{ bounded_difference('throughputs.discharged', '0') }} as discharged,
        first_value({{ bounded_difference('throughputs.discharged', '0') }}) over (
            partition by throughputs.battery_id, throughputs.quantity order by throughputs.cycle_index
        ) as first_discharged,
        throughputs.regular_throughput,
        {{ bounded_difference('throughputs.regular_throughput', '0') }} as regular_dividend,
        throughputs.diagnostic_throughput,
        {{ bounded_difference('throughputs.diagnostic_throughput', '0') }} as diagnostic_dividend
    from throughputs
    where throughputs.is_diagnostic
),

final as (
    select
        health.battery_id,
        health.cycle_index,
        health.quantity,
        diagnostics.cycle_type,
        diagnostics.occurrence,
        health.discharged / nullif(health.first_discharged, 0) as remaining_share,
        initial.throughput as initial_regular_throughput,
        health.regular_throughput,
        case
            when abs(initial.throughput) > 1e-60 then health.regular_dividend / initial.throughput
        end as normalized_regular_throughput,
        health.diagnostic_throughput,
        case
            when abs(initial.throughput) > 1e-60 then health.diagnostic_dividend / initial.throughput
        end as normalized_diagnostic_throughput
    from health
    inner join diagnostics
        on
            health.battery_id = diagnostics.battery_id
            and health.cycle_index = diagnostics.cycle_index
    inner join initial
        on
            health.battery_id = initial.battery_id
            and health.quantity = initial.quantity
    where health.cycle_index < initial.last_regular_cycle
    order by health.battery_id, health.cycle_index, health.quantity
)

select * from final
