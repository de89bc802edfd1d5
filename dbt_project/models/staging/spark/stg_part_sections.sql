with

{{ pending_batches() }},

landed as (
    select * from {{ ref('stg_landed') }}
),

loaded as (
    select
        documents.file_id,
        documents.part_no,
        try_parse_json(documents.document) as document,
        documents.batch,
        pending_batches.batch_files
    from {{ source('raw', 'documents') }} as documents
    inner join pending_batches on documents.batch = pending_batches.batch
    -- parts that no line of the ledger knows are a push's that died
    inner join landed on documents.file_id = landed.file_id and documents.batch = landed.batch
),

owned as (
    select
        loaded.*,
        {%- for section in sections() %}
        {{ spark_own('loaded.document', section) }} is not null
        and not is_variant_null({{ spark_own('loaded.document', section) }}) as owns_{{ section }}{{ ',' if not loop.last }}
        {%- endfor %}
    from loaded
),

contents as (
    {%- for section in sections() %}
    select
        owned.file_id,
        owned.part_no,
        '{{ section }}' as section,
        owned.owns_{{ section }} as is_under_own_key,
        {{ spark_members('owned.document', section, 'owned.owns_' ~ section) }} as members,
        case when owned.owns_{{ section }} then {{ spark_array(spark_own('owned.document', section)) }} end as records,
        owned.batch,
        owned.batch_files
    from owned
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

described as (
    select
        contents.* except (members, records),
        contents.members is not null as is_object,
        transform(
            map_entries(contents.members),
            member -> named_struct(
                'name', member.key,
                'size', {{ spark_array_size('member.value') }},
                'inside', {{ spark_object('member.value') }}
            )
        ) as members,
        transform(contents.records, record -> map_keys({{ spark_object('record') }})) as records
    from contents
    where contents.is_under_own_key or size(contents.members) > 0
),

shaped as (
    select
        described.*,
        case
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

sections as (
    select
        shaped.file_id,
        shaped.part_no,
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
        end as column_names,
        shaped.batch_files,
        shaped.batch
    from shaped
),

final as (
    select * from sections

    union all

    select
        loaded.file_id,
        loaded.part_no,
        'document' as section,
        true as is_under_own_key,
        'document' as shape,
        0 as row_count,
        map_keys({{ spark_object('loaded.document') }}) as column_names,
        loaded.batch_files,
        loaded.batch
    from loaded
)

select * from final
