{{ config(severity='warn') }}

-- Files of BEEP up to 2020 hold diagnostic cycles in their summary, too: they count in fade and cycle life.
with

diagnostics as (
    select * from {{ ref('battery_diagnostic_summaries') }}
),

files as (
    select * from {{ ref('battery_files') }}
)

select
    files.file_name,
    diagnostics.cycle_index
from diagnostics
left join files on diagnostics.id >> 32 = files.file_id
where diagnostics.is_in_summary
