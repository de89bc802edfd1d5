{{ config(unique_key='id') }}

with

diagnostics as (
    select * from {{ ref('stg_diagnostic_summaries') }}
),

runs as (
    select * from {{ ref('int_runs') }}
),

summaries as (
    select * from {{ ref('int_summaries') }}
),

stitched as (
    select
        diagnostics.*,
        {{ row_id('diagnostics.file_id', 'diagnostics.summary_index') }} as id,
        runs.battery_id,
        diagnostics.cycle_index + runs.cycle_offset as battery_cycle_index
    from diagnostics
    inner join runs on diagnostics.file_id = runs.file_id
    where
        diagnostics.is_latest_of_cycle
        and runs.run_number is not null
),

numbered as (
    select
        stitched.*,
        row_number() over (
            partition by stitched.battery_id, stitched.cycle_type order by stitched.battery_cycle_index
        )::integer as place
    from stitched
    where stitched.battery_cycle_index <= 2147483647
),

final as (
    select
        numbered.id,
        numbered.battery_id,
        numbered.battery_cycle_index::integer as cycle_index,
        numbered.cycle_type,
        case when numbered.cycle_type is not null then numbered.place end as occurrence,
        numbered.discharge_capacity,
        numbered.charge_capacity,
        numbered.discharge_energy,
        numbered.charge_energy,
        numbered.temperature_maximum,
        numbered.temperature_average,
        numbered.temperature_minimum,
        numbered.date_time_iso,
        numbered.coulombic_efficiency,
        case when numbered.paused > 0 then 1 when numbered.paused is not null then 0 end as paused,
        numbered.cv_time,
        numbered.cv_current,
        numbered.cv_capacity,
        summaries.id is not null as is_in_summary
    from numbered
    left join summaries
        on
            numbered.battery_id = summaries.battery_id
            and numbered.battery_cycle_index = summaries.cycle_index
    order by numbered.id
)

select * from final
