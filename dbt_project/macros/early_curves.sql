{#
    The end of `stg_early_curves` on each engine: from CTEs `wanted` (file_id, cycle_index, `more`) and `points` (file_id,
    point_index, cycle_index, is_untyped, the `measurements`, step_type) to `final`.
#}
{% macro curves_of_points(wanted, measurements, more=[]) -%}
steps as (
    select * from (values ('charge'), ('discharge')) as step_types (step_type)
),

curves as (
    select
        points.file_id,
        points.cycle_index,
        {%- for measurement in measurements %}
        {{ array_in_order('points.' ~ measurement, 'points.point_index') }} as {{ measurement }},
        {%- endfor %}
        steps.step_type
    from points
    inner join steps on points.step_type = steps.step_type or points.is_untyped
    group by points.file_id, points.cycle_index, steps.step_type
),

final as (
    select
        {{ wanted }}.file_id,
        {{ wanted }}.cycle_index,
        {%- for measurement in measurements %}
        coalesce(curves.{{ measurement }}, {{ no_doubles() }}) as {{ measurement }},
        {%- endfor %}
        steps.step_type
        {%- for column in more %},
        {{ wanted }}.{{ column }}
        {%- endfor %}
    from {{ wanted }}
    -- a row without points, too: the file was looked at
    cross join steps
    left join curves
        on
            {{ wanted }}.file_id = curves.file_id
            and {{ wanted }}.cycle_index = curves.cycle_index
            and steps.step_type = curves.step_type
)
{%- endmacro %}
