{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id', 'section'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

-- What only a look at every value tells: read a second time beside the points, documents hold a build up less than if
-- `stg_part_sections`, for which the points wait, asked this of them.
with

sections as (
    select * from {{ ref('stg_sections') }}
),

pending as (
    select sections.*
    from sections
    where {{ is_new('sections.file_id') }}
),

{{ pending_parts(carried=['section']) }},

{{ section_column_sets('loaded.section', carried=['section', 'part_no']) }},

sets as (
    select
        column_sets.file_id,
        column_sets.section,
        column_sets.part_no,
        {{ lost_values(
            'column_sets.section', 'column_sets.cycle', 'column_sets.columns', 'column_sets.first_row', 'column_sets.row_count'
        ) }} as lost_values,
        case
            when column_sets.section = 'cycles_interpolated'
                then {{ may_hold_early_cycles('column_sets.cycle', 'column_sets.columns') }}
        end as may_hold_early_cycles
    from column_sets
),

-- a section without a set, too: it was looked at
looked_at as (
    select * from sets
    union all
    select
        pending.file_id,
        pending.section,
        null as part_no,
        null as lost_values,
        false as may_hold_early_cycles
    from pending
),

collected as (
    select
        looked_at.file_id,
        looked_at.section,
        array_agg(distinct looked_at.part_no) filter (where looked_at.may_hold_early_cycles) as early_part_nos,
        jsonb_agg(looked_at.lost_values) filter (where looked_at.lost_values is not null) as lost_values
    from looked_at
    group by looked_at.file_id, looked_at.section
),

final as (
    select
        collected.file_id,
        collected.section,
        collected.early_part_nos,
        {{ sum_of_lost_values('collected.lost_values') }} as lost_values
    from collected
)

select * from final
