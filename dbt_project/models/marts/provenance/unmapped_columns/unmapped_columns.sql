{{ config(unique_key='key_path') }}

with

parts as (
    select * from {{ ref('stg_part_sections') }}
),

files as (
    select * from {{ ref('stg_files') }}
),

mapped_paths as (
    select mapped.key_path
    from (
        values ('barcode'), ('protocol'), ('channel_id'), ('metadata')
        {%- for name, columns in sections().items() %},
        ('{{ name }}'), ('{{ name }}.cycle_index')
        {%- for column in columns.numbers + columns.others + columns.get('full_resolution', []) %},
        ('{{ name }}.{{ column }}')
        {%- endfor %}
        {%- endfor %}
    ) as mapped (key_path)
),

key_paths as (
    select
        parts.file_id,
        -- an index takes no more than 2,700 bytes
        left(case when parts.section = 'document' then '' else parts.section || '.' end || names.column_name, 500) as key_path
    from parts
    cross join lateral {{ unnested('parts.column_names') }} as names (column_name)
),

final as (
    select
        key_paths.key_path,
        count(distinct key_paths.file_id)::integer as file_count,
        min(files.loaded_at) as first_seen_at,
        min(key_paths.file_id) as first_seen_in
    from key_paths
    inner join files on key_paths.file_id = files.file_id
    where
        not exists (select 1 from mapped_paths where mapped_paths.key_path = key_paths.key_path)
        and files.is_pruned is not true
    group by key_paths.key_path
)

select * from final
