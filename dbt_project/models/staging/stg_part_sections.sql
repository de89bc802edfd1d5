{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id']}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

with

files as (
    select * from {{ ref('stg_files') }}
),

pending as (
    select files.file_id
    from files
    {% if is_incremental() %}
    where not exists (select 1 from {{ this }} as parts where parts.file_id = files.file_id)
    {% endif %}
),

documents as (
    select * from {{ source('raw', 'documents') }}
),

loaded as (
    select
        documents.file_id,
        documents.part_no,
        documents.first_point,
        {{ in_memory('documents.document') }} as document
    from documents
    where documents.file_id = any(array(select pending.file_id from pending))
    {{ fence() }}
),

nested as (
    select
        loaded.file_id,
        loaded.part_no,
        loaded.first_point,
        loaded.document,
        section_names.section,
        nullif(
            case section_names.section
                when 'document' then loaded.document
                else loaded.document -> section_names.section
            end,
            'null'
        ) as content
    from loaded
    cross join (
        values ('document') {%- for name in sections() %}, ('{{ name }}'){% endfor %}
    ) as section_names (section)
    {{ fence() }}
),

sections as (
    select
        nested.file_id,
        nested.part_no,
        nested.first_point,
        nested.section,
        nested.content is not null as is_under_own_key,
        coalesce(nested.content, {{ flattened_section('nested.document', 'nested.section') }}) as content
    from nested
    {{ fence() }}
),

shaped as (
    select
        sections.*,
        case sections.section
            when 'document' then 'document'
            else {{ shape_of('sections.content') }}
        end as shape
    from sections
    {{ fence() }}
),

set_facts as materialized (
    select
        shaped.file_id,
        shaped.part_no,
        shaped.section,
        shaped.is_under_own_key,
        shaped.shape,
        column_sets.row_count,
        case
            when shaped.section = 'cycles_interpolated'
                then {{ cycle_starts('column_sets.cycle', 'column_sets.columns') }}
        end as cycle_starts,
        (
            select array_agg(member.key)
            from {{ members("case shaped.shape when 'document' then shaped.content else column_sets.columns end") }}
            where shaped.shape = 'document' or member.type = 'array'
        ) as column_names
    from shaped
    left join lateral ({{ column_sets('shaped.content', 'shaped.shape', 'shaped.first_point') }}) as column_sets on true
),

column_names as (
    select
        set_facts.file_id,
        set_facts.part_no,
        set_facts.section,
        array_agg(distinct names.column_name) as column_names
    from set_facts
    cross join lateral unnest(set_facts.column_names) as names (column_name)
    group by set_facts.file_id, set_facts.part_no, set_facts.section
),

totals as (
    select
        set_facts.file_id,
        set_facts.part_no,
        set_facts.section,
        set_facts.is_under_own_key,
        set_facts.shape,
        coalesce(sum(set_facts.row_count), 0)::bigint as row_count,
        jsonb_agg(set_facts.cycle_starts) filter (where set_facts.cycle_starts is not null) as cycle_starts
    from set_facts
    group by set_facts.file_id, set_facts.part_no, set_facts.section, set_facts.is_under_own_key, set_facts.shape
),

final as (
    select
        totals.file_id,
        totals.part_no,
        totals.section,
        totals.is_under_own_key,
        totals.shape,
        totals.row_count,
        column_names.column_names,
        totals.cycle_starts
    from totals
    left join column_names
        on
            totals.file_id = column_names.file_id
            and totals.part_no = column_names.part_no
            and totals.section = column_names.section
)

select * from final
