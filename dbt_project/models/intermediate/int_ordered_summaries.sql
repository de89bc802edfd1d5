with

summaries as (
    select * from {{ ref('int_summaries') }}
),

final as (
    select
        summaries.battery_id,
        summaries.cycle_index,
        row_number() over (partition by summaries.battery_id order by summaries.cycle_index) - 1 as cycles_before,
        count(*) over (partition by summaries.battery_id) as cycle_count,
        {{ bounded('summaries.discharge_capacity') }} as discharge_capacity,
        {{ bounded('summaries.charge_duration') }} as charge_duration,
        {{ bounded('summaries.time_temperature_integrated') }} as time_temperature_integrated,
        {{ bounded('summaries.temperature_maximum') }} as temperature_maximum,
        {{ bounded('summaries.temperature_minimum') }} as temperature_minimum,
        {{ bounded('summaries.dc_internal_resistance') }} as dc_internal_resistance
    from summaries
)

select * from final
