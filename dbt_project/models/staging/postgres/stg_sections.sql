{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id']}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

with

part_sections as (
    select *
    from {{ ref('stg_part_sections') }}
    where section <> 'document' and shape is not null
),

-- flattened keys count only where no part holds the section itself
chosen as (
    select
        part_sections.*,
        bool_or(part_sections.is_under_own_key) over (
            partition by part_sections.file_id, part_sections.section
        ) as is_under_own_key_somewhere
    from part_sections
    where {{ is_new('part_sections.file_id') }}
),

-- a part stands once for each of its columns: its rows are counted at the first
sections as (
    select
        chosen.file_id,
        chosen.section,
        chosen.is_under_own_key,
        case
            when count(distinct chosen.shape) filter (where chosen.shape <> 'empty') > 1 then 'unknown'
            -- with cycle numbers made up for it, nothing would be left of such a section but NULL
            when not bool_or(
                (chosen.section || '.' || names.column_name) = any(array[
                    {%- for section, columns in sections().items() %}
                    {%- for column in ['cycle_index'] + columns.numbers + columns.others %}
                    '{{ section }}.{{ column }}',
                    {%- endfor %}
                    {%- endfor %}
                    ''
                ])
            ) then 'unknown'
            else coalesce(max(chosen.shape) filter (where chosen.shape <> 'empty'), 'empty')
        end as shape,
        sum(chosen.row_count) filter (where coalesce(names.position, 1) = 1)::bigint as row_count,
        array_agg(distinct chosen.part_no) as part_nos,
        array_agg(distinct names.column_name) filter (where names.column_name is not null) as column_names,
        jsonb_agg(chosen.cycle_starts)
        filter (where chosen.cycle_starts is not null and coalesce(names.position, 1) = 1) as cycle_starts
    from chosen
    left join lateral unnest(chosen.column_names) with ordinality as names (column_name, position) on true
    where chosen.is_under_own_key = chosen.is_under_own_key_somewhere
    group by chosen.file_id, chosen.section, chosen.is_under_own_key
),

final as (
    select
        sections.file_id,
        sections.section,
        sections.is_under_own_key,
        sections.shape,
        case when sections.shape = 'unknown' then 0 else sections.row_count end as row_count,
        sections.part_nos,
        coalesce(sections.column_names, '{}') as column_names,
        {{ lowest_starts('sections.cycle_starts') }} as cycle_starts
    from sections
)

select * from final
