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

documents as (
    select * from {{ source('raw', 'documents') }}
),

pending as (
    select files.file_id
    from files
    where {{ is_new('files.file_id') }}
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

own as (
    select
        loaded.*,
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
        values
        {%- for name in sections() %}
        ('{{ name }}'),
        {%- endfor %}
        ('document')
    ) as section_names (section)
    {{ fence() }}
),

sections as (
    select
        own.file_id,
        own.part_no,
        own.first_point,
        own.section,
        own.content is not null as is_under_own_key,
        coalesce(own.content, {{ flattened_section('own.document', 'own.section') }}) as content
    from own
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
            when
                shaped.section in (
                    {%- for name, columns in sections().items() if 'test_time' in columns.numbers %}
                    '{{ name }}'{{ ',' if not loop.last }}
                    {%- endfor %}
                )
                then {{ cycle_starts('column_sets.cycle', 'column_sets.columns') }}
        end as cycle_starts,
        {%- for place, path in [('', ''), ('metadata_', 'metadata,')] %}
        {%- for name in ['barcode', 'protocol'] %}
        case
            when shaped.shape = 'document'
                then {{ to_text("(shaped.content #> '{" ~ path ~ name ~ "}')") }}
        end as {{ place ~ name }},
        {%- endfor %}
        case
            when shaped.shape = 'document'
                then {{ to_double('(' ~ to_number("(shaped.content #> '{" ~ path ~ "channel_id}')") ~ ')') }}
        end as {{ place }}channel_id,
        {%- endfor %}
        (
            select array_agg(member.key)
            from {{ members("case shaped.shape when 'document' then shaped.content else column_sets.columns end") }}
            where shaped.shape = 'document' or member.type = 'array'
        ) as column_names
    from shaped
    left join lateral ({{ column_sets('shaped.content', 'shaped.shape', 'shaped.first_point') }}) as column_sets on true
),

-- a set stands once for each of its columns: what is counted once a set is taken at the first
final as (
    select
        set_facts.file_id,
        set_facts.part_no,
        set_facts.section,
        set_facts.is_under_own_key,
        set_facts.shape,
        coalesce(sum(set_facts.row_count) filter (where coalesce(names.position, 1) = 1), 0)::bigint
            as row_count,
        array_agg(distinct names.column_name) filter (where names.column_name is not null) as column_names,
        {%- for name in ['barcode', 'metadata_barcode', 'protocol', 'metadata_protocol', 'channel_id', 'metadata_channel_id'] %}
        max(set_facts.{{ name }}) as {{ name }},
        {%- endfor %}
        jsonb_agg(set_facts.cycle_starts)
        filter (where set_facts.cycle_starts is not null and coalesce(names.position, 1) = 1) as cycle_starts
    from set_facts
    left join lateral unnest(set_facts.column_names) with ordinality as names (column_name, position) on true
    group by
        set_facts.file_id, set_facts.part_no, set_facts.section, set_facts.is_under_own_key, set_facts.shape
)

select * from final
