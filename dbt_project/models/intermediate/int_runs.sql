{{
    config(
        materialized='incremental' if target.type == 'postgres' else 'table',
        incremental_strategy='replace',
        unique_key='file_id',
        indexes=[{'columns': ['file_id'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

with recursive

files as (
    select * from {{ ref('stg_files') }}
),

headers as (
    select * from {{ ref('stg_headers') }}
),

sections as (
    select * from {{ ref('stg_sections') }}
),

summaries as (
    select * from {{ ref('stg_summaries') }}
),

highest_cycles as (
    select * from {{ ref('stg_highest_cycles') }}
),

totals as (
    select
        summaries.file_id,
        max(summaries.cycle_index) as highest_cycle,
        max(summaries.charge_throughput) as charge_throughput,
        max(summaries.energy_throughput) as energy_throughput
    from summaries
    where summaries.is_latest_of_cycle
    group by summaries.file_id
),

spans as (
    select
        summaries.file_id,
        min(summaries.date_time_iso) as first_record_at,
        max(summaries.date_time_iso) as last_record_at
    from summaries
    group by summaries.file_id
),

identified as (
    select
        files.file_id,
        files.name,
        {{ without_gz('files.name') }} as name_without_gz,
        files.sha256,
        files.loaded_at,
        coalesce(files.is_pruned, false) as is_pruned,
        headers.barcode,
        headers.protocol,
        headers.channel_id,
        spans.first_record_at,
        spans.last_record_at,
        greatest(highest_cycles.highest_cycle, totals.highest_cycle) as highest_cycle,
        totals.charge_throughput,
        totals.energy_throughput
    from files
    inner join headers on files.file_id = headers.file_id
    left join highest_cycles on files.file_id = highest_cycles.file_id
    left join totals on files.file_id = totals.file_id
    left join spans on files.file_id = spans.file_id
    -- with neither barcode nor either section it is no battery document
    where
        headers.is_identified
        or exists (
            select 1
            from sections
            where sections.file_id = files.file_id
        )
),

superseding as (
    select
        earlier.file_id,
        max(later.file_id) as superseded_by
    from identified as earlier
    inner join identified as later
        on
            earlier.barcode = later.barcode
            and earlier.file_id < later.file_id
            and (
                earlier.name_without_gz = later.name_without_gz
                or (earlier.first_record_at <= later.last_record_at and earlier.last_record_at >= later.first_record_at)
                or (earlier.first_record_at is null and later.first_record_at is null)
            )
    group by earlier.file_id
),

compared as (
    select
        identified.*,
        superseding.superseded_by as later_version,
        min(identified.file_id) over barcode as battery_id,
        max(
            case
                when
                    superseding.superseded_by is null
                    and identified.first_record_at is not null
                    and not identified.is_pruned
                    then identified.file_id
            end
        ) over barcode as latest_with_time_stamps
    from identified
    left join superseding on identified.file_id = superseding.file_id
    window barcode as (partition by identified.barcode)
),

-- a file without time stamps has no place among runs that have them
judged as (
    select
        compared.*,
        coalesce(
            compared.later_version,
            case when compared.first_record_at is null then compared.latest_with_time_stamps end
        ) as superseded_by
    from compared
),

ordered as (
    select
        judged.*,
        row_number() over (
            partition by judged.battery_id order by judged.first_record_at nulls first, judged.file_id
        ) as run_number
    from judged
    -- of a pruned file nothing is left to publish, whatever becomes of the one that took its place
    where judged.superseded_by is null and not judged.is_pruned
),

-- run after run: a later one is numbered on from the one before, and its throughputs run on
runs as (
    select
        ordered.*,
        0::bigint as cycle_offset,
        0::{{ double() }} as charge_throughput_offset,
        0::{{ double() }} as energy_throughput_offset
    from ordered
    where ordered.run_number = 1

    union all

    select
        ordered.*,
        runs.cycle_offset + coalesce(runs.highest_cycle::bigint + 1, 0) as cycle_offset,
        {{ total('runs.charge_throughput_offset', 'coalesce(runs.charge_throughput, 0)') }} as charge_throughput_offset,
        {{ total('runs.energy_throughput_offset', 'coalesce(runs.energy_throughput, 0)') }} as energy_throughput_offset
    from runs
    inner join ordered
        on
            runs.battery_id = ordered.battery_id
            and ordered.run_number = runs.run_number + 1
),

final as (
    select
        judged.file_id,
        judged.battery_id,
        judged.barcode,
        judged.name as file_name,
        judged.sha256,
        judged.loaded_at,
        judged.protocol,
        judged.channel_id,
        judged.first_record_at,
        judged.last_record_at,
        judged.superseded_by,
        runs.run_number::integer as run_number,
        runs.cycle_offset,
        runs.charge_throughput_offset,
        runs.energy_throughput_offset
    from judged
    left join runs on judged.file_id = runs.file_id
)

select * from final
