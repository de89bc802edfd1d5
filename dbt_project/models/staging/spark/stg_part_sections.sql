{%- set every = "case contents.section when 'cycles_interpolated' then " ~ var('sample_every') ~ 'L else 1L end' %}

{#
    The one place where whole documents are parsed: what is asked of every part, and of tables in columns (as BEEP writes them)
    the columns, typed: every point of the other sections, every tenth of `cycles_interpolated`.
#}

with

{{ pending_batches() }},

landed as (
    select * from {{ ref('stg_landed') }}
),

loaded as (
    select
        documents.file_id,
        documents.part_no,
        documents.first_point as first_row,
        {{ spark_object('try_parse_json(documents.document)') }} as document,
        pending_batches.batch_files,
        documents.batch
    from {{ source('raw', 'documents') }} as documents
    inner join pending_batches on documents.batch = pending_batches.batch
    -- parts that no line of the ledger knows are a push's that died
    inner join landed on documents.file_id = landed.file_id and documents.batch = landed.batch
),

-- what a generator gives is not worked out anew where it is used
contents as (
    select
        loaded.* except (document, batch_files, batch),
        content.*,
        loaded.batch_files,
        loaded.batch
    from loaded
    cross join lateral inline_outer(array(
        {%- for section in sections() %}
        named_struct(
            'section', '{{ section }}',
            'is_under_own_key', {{ spark_owns('loaded.document', section) }},
            'members', {{ spark_members('loaded.document', section) }},
            'records', case when {{ spark_owns('loaded.document', section) }} then {{ spark_array("loaded.document['" ~ section ~ "']") }} end
        ),
        {%- endfor %}
        named_struct('section', 'document', 'is_under_own_key', true, 'members', loaded.document, 'records', null)
    )) as content
),

described as (
    select
        contents.* except (members, records, batch_files, batch),
        case when contents.section <> 'document' then transform(
            transform(
                map_entries(contents.members),
                member -> named_struct(
                    'name', member.key,
                    'value', member.value,
                    'cells', {{ spark_array('member.value') }},
                    'inside', {{ spark_object('member.value') }}
                )
            ),
            member -> named_struct(
                'name', member.name,
                'size', nullif(size(member.cells), -1),
                'inside', member.inside,
                {%- for kind in ['numbers', 'others'] %}
                '{{ kind }}', case
                    when contents.section || '.' || member.name in (
                        {%- for section, columns in sections().items() %}
                        {%- for column in (['cycle_index'] if kind == 'numbers' else []) + columns[kind] %}
                        '{{ section }}.{{ column }}',
                        {%- endfor %}
                        {%- endfor %}
                        ''
                    )
                        then transform(
                            {{ spark_places('0L', 'size(member.cells)', every, 'contents.first_row') }},
                            place -> {{ (spark_to_double if kind == 'numbers' else spark_to_text)('get(member.cells, cast(place as int))') }}
                        )
                end,
                {%- endfor %}
                -- published is every tenth point, but the start of a cycle and the highest cycle are those of all points
                'every_number', case
                    when contents.section = 'cycles_interpolated' and member.name in ('cycle_index', 'test_time')
                        then {{ spark_doubles('member.value', 'member.cells') }}
                end
            )
        ) end as members,
        transform(contents.records, record -> map_keys({{ spark_object('record') }})) as records,
        case when contents.section = 'document' then map_keys(contents.members) end as keys,
        {%- for name in ['barcode', 'protocol', 'channel_id'] %}
        case when contents.section = 'document' then contents.members['{{ name }}'] end as {{ name }},
        case when contents.section = 'document' then try_variant_get(contents.members['metadata'], '$.{{ name }}', 'variant') end
            as metadata_{{ name }},
        {%- endfor %}
        contents.batch_files,
        contents.batch
    from contents
    where contents.is_under_own_key or size(contents.members) > 0
),

shaped as (
    select
        described.*,
        case
            when described.section = 'document' then 'document'
            when size(described.members) = 0 or size(described.records) = 0 then 'empty'
            when exists(described.members, member -> member.size is not null) then 'columnar'
            when forall(described.records, keys -> keys is not null) then 'records'
            when not coalesce(forall(described.members, member -> member.inside is not null), false) then 'unknown'
            when forall(
                described.members, member -> member.name rlike r'^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\z'
            ) then 'by cycle'
            when forall(
                described.members, member -> forall(map_keys(member.inside), key -> key rlike r'^[0-9]{1,255}\z')
            ) then 'indexed columns'
            else 'unknown'
        end as shape
    from described
),

final as (
    select
        shaped.file_id,
        shaped.part_no,
        shaped.first_row,
        shaped.section,
        shaped.is_under_own_key,
        shaped.shape,
        cast(case shaped.shape
            when 'columnar' then array_max(transform(shaped.members, member -> member.size))
            when 'records' then size(shaped.records)
            when 'by cycle'
                then aggregate(
                    shaped.members, 0L, (total, member) -> total + {{ spark_rows_of_cycle('member.inside') }}
                )
            when 'indexed columns' then size(array_distinct(flatten(transform(shaped.members, member -> map_keys(member.inside)))))
            else 0
        end as bigint) as row_count,
        case shaped.shape
            when 'columnar' then transform(filter(shaped.members, member -> member.size is not null), member -> member.name)
            when 'records' then array_distinct(flatten(shaped.records))
            when 'by cycle'
                then array_distinct(flatten(transform(shaped.members, member -> {{ spark_columns_of_cycle('member.inside') }})))
            when 'indexed columns' then transform(shaped.members, member -> member.name)
            when 'document' then shaped.keys
        end as column_names,
        {%- for kind in ['numbers', 'others'] %}
        map_from_entries(transform(
            filter(shaped.members, member -> member.{{ kind }} is not null), member -> struct(member.name, member.{{ kind }})
        )) as {{ kind }},
        {%- endfor %}
        {{ spark_cycle_starts('shaped.members') }} as cycle_starts,
        {%- for name in ['barcode', 'metadata_barcode', 'protocol', 'metadata_protocol'] %}
        {{ spark_to_text('shaped.' ~ name) }} as {{ name }},
        {%- endfor %}
        {%- for name in ['channel_id', 'metadata_channel_id'] %}
        {{ spark_to_double('shaped.' ~ name) }} as {{ name }},
        {%- endfor %}
        shaped.batch_files,
        shaped.batch
    from shaped
)

select * from final
