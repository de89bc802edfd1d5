{{ config(materialized='view', partition_by=none) }}

with

cycles as (
    {%- for model in ['stg_cycles', 'stg_diagnostic_summaries', 'stg_diagnostic_points'] %}
    select
        {{ model }}.file_id,
        {{ model }}.cycle_index
    from {{ ref(model) }} as {{ model }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select
        cycles.file_id,
        max(cycles.cycle_index) as highest_cycle
    from cycles
    group by cycles.file_id
)

select * from final
