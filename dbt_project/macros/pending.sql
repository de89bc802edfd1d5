{#
    Condition: this model has no row of the file yet; true of every file where the model is made anew. `file_id` is to be
    qualified: the subquery has a column of that name, too.
#}
{% macro is_new(file_id) -%}
    {%- if is_incremental() -%}
    not exists (select 1 from {{ this }} as done where done.file_id = {{ file_id }})
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{#
    CTE `pending_parts`: the parts that hold the sections of a CTE `pending` (file_id, section, is_under_own_key), with the
    columns `carried` of these. Wants a CTE `part_sections`. Looked up file by file: no plan compares all with all.
#}
{% macro pending_parts(carried=[]) -%}
pending_parts as (
    select
        pending.file_id,
        parts.part_no{{ ',' if carried }}
        {%- for column in carried %}
        pending.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from pending
    cross join lateral (
        select part_sections.part_no
        from part_sections
        where
            part_sections.file_id = pending.file_id
            and part_sections.section = pending.section
            and part_sections.is_under_own_key = pending.is_under_own_key
        {{ fence() }}
    ) as parts
)
{%- endmacro %}
