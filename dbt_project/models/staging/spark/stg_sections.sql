{{ config(materialized='table', partition_by=none) }}

with

part_sections as (
    select *
    from {{ ref('stg_part_sections') }}
    where section <> 'document'
),

-- flattened keys count only where no part holds the section itself
chosen as (
    select
        part_sections.*,
        bool_or(part_sections.is_under_own_key) over (
            partition by part_sections.file_id, part_sections.section
        ) as is_under_own_key_somewhere
    from part_sections
),

sections as (
    select
        chosen.file_id,
        chosen.section,
        chosen.is_under_own_key,
        count(distinct chosen.shape) filter (where chosen.shape <> 'empty') as shapes,
        max(chosen.shape) filter (where chosen.shape <> 'empty') as shape,
        sum(chosen.row_count) as row_count,
        array_distinct(flatten(array_agg(chosen.column_names))) as column_names
    from chosen
    where chosen.is_under_own_key = chosen.is_under_own_key_somewhere
    group by chosen.file_id, chosen.section, chosen.is_under_own_key
),

judged as (
    select
        sections.* except (shape),
        case
            when sections.shapes > 1 then 'unknown'
            -- with cycle numbers made up for it, nothing would be left of such a section but NULL
            when sections.shapes = 1 and not case sections.section
                {%- for section, columns in sections().items() %}
                when '{{ section }}' then arrays_overlap(
                    sections.column_names, array('{{ (['cycle_index'] + columns.numbers + columns.others) | join("', '") }}')
                )
                {%- endfor %}
            end then 'unknown'
            else coalesce(sections.shape, 'empty')
        end as shape
    from sections
),

final as (
    select
        judged.file_id,
        judged.section,
        judged.is_under_own_key,
        judged.shape,
        case when judged.shape = 'unknown' then 0 else judged.row_count end as row_count,
        judged.column_names
    from judged
)

select * from final
