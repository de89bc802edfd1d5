{{
    config(
        materialized='incremental' if target.type == 'postgres' else 'view',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

with

files as (
    select * from {{ ref('stg_files') }}
),

parts as (
    select *
    from {{ ref('stg_part_sections') }}
    where section = 'document'
),

-- what a file says of itself is in its part 0; a part of a large table among it, in a later one
collected as (
    select
        parts.file_id,
        max({{ clean_barcode('parts.barcode') }}) as barcode,
        max({{ clean_barcode('parts.metadata_barcode') }}) as metadata_barcode,
        max(parts.protocol) as protocol,
        max(parts.metadata_protocol) as metadata_protocol,
        max(parts.channel_id) as channel_id,
        max(parts.metadata_channel_id) as metadata_channel_id
    from parts
    where {{ is_new('parts.file_id') }}
    group by parts.file_id
),

final as (
    select
        collected.file_id,
        coalesce(
            collected.barcode, collected.metadata_barcode, 'unidentified:' || {{ without_gz('files.name') }}
        ) as barcode,
        coalesce(collected.barcode, collected.metadata_barcode) is not null as is_identified,
        coalesce(collected.protocol, collected.metadata_protocol) as protocol,
        coalesce(
            {{ to_whole_number('collected.channel_id', lowest=-2147483648) }},
            {{ to_whole_number('collected.metadata_channel_id', lowest=-2147483648) }}
        ) as channel_id
    from collected
    inner join files on collected.file_id = files.file_id
)

select * from final
