{{ config(severity='warn') }}

-- A diagnostic cycle of a type that the protocols of the published sets do not have, or of none; such files are not wrong.
with

diagnostics as (
    select * from {{ ref('battery_diagnostic_summaries') }}
),

files as (
    select * from {{ ref('battery_files') }}
)

select
    files.file_name,
    diagnostics.cycle_index,
    diagnostics.cycle_type
from diagnostics
left join files on diagnostics.id >> 32 = files.file_id
where coalesce(diagnostics.cycle_type, '') not in ('reset', 'hppc', 'rpt_0.2C', 'rpt_1C', 'rpt_2C')
