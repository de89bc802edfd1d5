{{ config(materialized='view') }}

with

parts as (
    select *
    from {{ ref('stg_part_sections') }}
    where section <> 'document' and shape is not null
),

-- flattened keys count only where no part holds the section itself
chosen as (
    select
        parts.*,
        bool_or(parts.is_under_own_key) over (partition by parts.file_id, parts.section) as file_is_under_own_key
    from parts
),

sections as (
    select
        chosen.file_id,
        chosen.section,
        chosen.is_under_own_key,
        case
            when count(distinct chosen.shape) filter (where chosen.shape <> 'empty') > 1 then 'unknown'
            else coalesce(max(chosen.shape) filter (where chosen.shape <> 'empty'), 'empty')
        end as shape,
        sum(chosen.row_count)::bigint as row_count
    from chosen
    where chosen.is_under_own_key = chosen.file_is_under_own_key
    group by chosen.file_id, chosen.section, chosen.is_under_own_key
),

column_names as (
    select
        parts.file_id,
        parts.section,
        parts.is_under_own_key,
        array_agg(distinct names.column_name) as column_names
    from parts
    cross join lateral unnest(parts.column_names) as names (column_name)
    group by parts.file_id, parts.section, parts.is_under_own_key
),

final as (
    select
        sections.file_id,
        sections.section,
        sections.is_under_own_key,
        sections.shape,
        case when sections.shape = 'unknown' then 0 else sections.row_count end as row_count,
        coalesce(column_names.column_names, '{}') as column_names
    from sections
    left join column_names
        on
            sections.file_id = column_names.file_id
            and sections.section = column_names.section
            and sections.is_under_own_key = column_names.is_under_own_key
)

select * from final
