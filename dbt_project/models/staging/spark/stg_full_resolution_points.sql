{%- set columns = sections().cycles_interpolated %}
{%- set numbers, others = columns.numbers + columns.full_resolution, columns.others %}

{#- a second look at the documents, of the files asked for: every point, and columns that `stg_points` leaves out -#}
{%- set parts %}
with

runs as (
    select *
    from {{ ref('int_full_resolution_runs') }}
    where run_number is not null
),

{{ pending_batches(files='runs') }},

{{ spark_pending_parts('cycles_interpolated', files='runs') }}
{%- endset %}

{{ spark_pending_section_rows(parts, 'cycles_interpolated', ['cycle_index'] + numbers + others) }},

typed as (
    {{ spark_typed_cells(['cycle_index'] + numbers, others) }}
),

{{ spark_numbered() }},

{{ spark_started() }},

{{ spark_timed_points(numbers + others) }}

select /*+ rebalance(batch) */ * from final
