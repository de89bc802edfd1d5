{{ config(materialized='view') }}

with

parts as (
    select *
    from {{ ref('stg_parts') }}
    where section <> 'document' and shape is not null
),

-- flattened keys count only where no part holds the section itself
chosen as (
    select
        parts.*,
        bool_or(parts.is_nested) over (partition by parts.file_id, parts.section) as file_is_nested
    from parts
),

sections as (
    select
        chosen.file_id,
        chosen.section,
        chosen.is_nested,
        case
            when count(distinct chosen.shape) filter (where chosen.shape <> 'empty') > 1 then 'unknown'
            else coalesce(max(chosen.shape) filter (where chosen.shape <> 'empty'), 'empty')
        end as shape,
        sum(chosen.row_count)::bigint as row_count
    from chosen
    where chosen.is_nested = chosen.file_is_nested
    group by chosen.file_id, chosen.section, chosen.is_nested
),

column_names as (
    select
        parts.file_id,
        parts.section,
        parts.is_nested,
        array_agg(distinct names.column_name) as column_names
    from parts
    cross join lateral unnest(parts.column_names) as names (column_name)
    group by parts.file_id, parts.section, parts.is_nested
),

final as (
    select
        sections.file_id,
        sections.section,
        sections.is_nested,
        sections.shape,
        case when sections.shape = 'unknown' then 0 else sections.row_count end as row_count,
        coalesce(column_names.column_names, '{}') as column_names
    from sections
    left join column_names
        on
            sections.file_id = column_names.file_id
            and sections.section = column_names.section
            and sections.is_nested = column_names.is_nested
)

select * from final
