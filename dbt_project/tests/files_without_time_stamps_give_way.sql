{{ config(severity='warn') }}

-- A file without a readable time stamp has no place among the runs of a battery: it gives way to those that have one.
with

files as (
    select * from {{ ref('battery_files') }}
),

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = 'summary'
)

select
    files.file_name,
    files.barcode,
    files.superseded_by,
    coalesce({{ has_element('sections.column_names', "'date_time_iso'") }}, false) as has_unreadable_time_stamps
from files
inner join files as others on files.superseded_by = others.file_id
left join sections on files.file_id = sections.file_id
where
    files.first_record_at is null
    and others.first_record_at is not null
    and files.file_name <> others.file_name
