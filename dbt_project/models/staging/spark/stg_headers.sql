{%- set names = ['barcode', 'protocol', 'channel_id'] %}

with

{{ pending_batches() }},

landed as (
    select * from {{ ref('stg_landed') }}
),

-- what a file says of itself is in its part 0; a part of a large table among it, in a later one
pending_parts as (
    select
        parts.file_id,
        parts.part_no,
        parts.batch,
        pending_batches.batch_files
    from {{ ref('stg_part_sections') }} as parts
    inner join pending_batches on parts.batch = pending_batches.batch
    where
        parts.section = 'document'
        and (parts.part_no = 0 or arrays_overlap(parts.column_names, array('barcode', 'protocol', 'channel_id', 'metadata')))
),

loaded as (
    select
        pending_parts.*,
        try_parse_json(documents.document) as document
    from {{ source('raw', 'documents') }} as documents
    inner join pending_parts on documents.file_id = pending_parts.file_id and documents.part_no = pending_parts.part_no
    where documents.batch in (select wanted.batch from pending_parts as wanted)
),

headers as (
    select
        loaded.* except (document),
        {%- for name in names %}
        try_variant_get(loaded.document, '$.{{ name }}', 'variant') as {{ name }},
        try_variant_get(loaded.document, '$.metadata.{{ name }}', 'variant') as metadata_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from loaded
),

typed as (
    select
        headers.file_id,
        {%- for name in ['barcode', 'metadata_barcode'] %}
        {{ clean_barcode(spark_to_text('headers.' ~ name)) }} as {{ name }},
        {%- endfor %}
        {{ spark_to_text('headers.protocol') }} as protocol,
        {{ spark_to_text('headers.metadata_protocol') }} as metadata_protocol,
        {{ spark_to_double('headers.channel_id') }} as channel_id,
        {{ spark_to_double('headers.metadata_channel_id') }} as metadata_channel_id,
        headers.batch,
        headers.batch_files
    from headers
),

collected as (
    select
        typed.file_id,
        {%- for name in names %}
        max(typed.{{ name }}) as {{ name }},
        max(typed.metadata_{{ name }}) as metadata_{{ name }},
        {%- endfor %}
        max(typed.batch) as batch,
        max(typed.batch_files) as batch_files
    from typed
    group by typed.file_id
),

final as (
    select
        collected.file_id,
        coalesce(
            collected.barcode, collected.metadata_barcode, 'unidentified:' || {{ without_gz('landed.name') }}
        ) as barcode,
        coalesce(collected.barcode, collected.metadata_barcode) is not null as is_identified,
        coalesce(collected.protocol, collected.metadata_protocol) as protocol,
        coalesce(
            {{ spark_to_whole_number('collected.channel_id', lowest=-2147483648) }},
            {{ spark_to_whole_number('collected.metadata_channel_id', lowest=-2147483648) }}
        ) as channel_id,
        collected.batch_files,
        collected.batch
    from collected
    inner join landed on collected.file_id = landed.file_id
)

select * from final
