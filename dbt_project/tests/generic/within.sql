{#
    Every range of a table in one pass. A column's `range` in its `meta` is [lowest, highest], both inclusive and both
    required: NaN is greater than every number, so that an open upper end would let it through. NULL passes. The rows that
    fail come with the column, the value, its bounds and the file they are from.
#}
{% test within(model) %}
    {%- set ranges = ranges_of(model) %}
    {{- prefer_indexes() }}
with

files as (
    select * from {{ ref('battery_files') }}
),

suspects as (
    select *
    from {{ model }}
    where
        {%- for column, bounds in ranges.items() %}
        not {{ adapter.quote(column) }} between {{ bounds[0] }} and {{ bounds[1] }}{{ ' or' if not loop.last }}
        {%- endfor %}
),

final as (
    select
        files.file_name,
        suspects.id,
        suspects.battery_id,
        suspects.cycle_index,
        checks.column_name,
        checks.value,
        checks.lowest,
        checks.highest
    from suspects
    cross join lateral (
        {%- for column, bounds in ranges.items() %}
        select
            '{{ column }}' as column_name,
            suspects.{{ adapter.quote(column) }}::{{ double() }} as value,
            {{ bounds[0] }}::{{ double() }} as lowest,
            {{ bounds[1] }}::{{ double() }} as highest
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as checks
    left join files on suspects.id >> 32 = files.file_id
    where not checks.value between checks.lowest and checks.highest
)

select * from final
{% endtest %}
