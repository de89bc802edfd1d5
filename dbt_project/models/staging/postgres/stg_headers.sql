{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

with

files as (
    select * from {{ ref('stg_files') }}
),

part_sections as (
    select *
    from {{ ref('stg_part_sections') }}
    where section = 'document'
),

-- what a file says of itself is in its part 0; a part of a large table among it, in a later one
pending_parts as (
    select
        part_sections.file_id,
        part_sections.part_no
    from part_sections
    where
        (
            part_sections.part_no = 0
            or part_sections.column_names && array['barcode', 'protocol', 'channel_id', 'metadata']
        )
        and {{ is_new('part_sections.file_id') }}
),

{{ loaded_documents() }},

headers as (
    select
        loaded.file_id,
        loaded.document -> 'barcode' as barcode,
        loaded.document -> 'protocol' as protocol,
        loaded.document -> 'channel_id' as channel_id,
        loaded.document #> '{metadata,barcode}' as metadata_barcode,
        loaded.document #> '{metadata,protocol}' as metadata_protocol,
        loaded.document #> '{metadata,channel_id}' as metadata_channel_id
    from loaded
    {{ fence() }}
),

typed as (
    select
        headers.file_id,
        {{ to_text('headers.barcode') }} as barcode,
        {{ to_text('headers.metadata_barcode') }} as metadata_barcode,
        {{ to_text('headers.protocol') }} as protocol,
        {{ to_text('headers.metadata_protocol') }} as metadata_protocol,
        {{ to_number('headers.channel_id') }} as channel_id,
        {{ to_number('headers.metadata_channel_id') }} as metadata_channel_id
    from headers
    {{ fence() }}
),

doubles as (
    select
        typed.file_id,
        max({{ clean_barcode('typed.barcode') }}) as barcode,
        max({{ clean_barcode('typed.metadata_barcode') }}) as metadata_barcode,
        max(typed.protocol) as protocol,
        max(typed.metadata_protocol) as metadata_protocol,
        max({{ to_double('typed.channel_id') }}) as channel_id,
        max({{ to_double('typed.metadata_channel_id') }}) as metadata_channel_id
    from typed
    group by typed.file_id
),

final as (
    select
        doubles.file_id,
        coalesce(
            doubles.barcode, doubles.metadata_barcode, 'unidentified:' || {{ without_gz('files.name') }}
        ) as barcode,
        coalesce(doubles.barcode, doubles.metadata_barcode) is not null as is_identified,
        coalesce(doubles.protocol, doubles.metadata_protocol) as protocol,
        coalesce(
            {{ to_whole_number('doubles.channel_id', lowest=-2147483648) }},
            {{ to_whole_number('doubles.metadata_channel_id', lowest=-2147483648) }}
        ) as channel_id
    from doubles
    inner join files on doubles.file_id = files.file_id
)

select * from final
