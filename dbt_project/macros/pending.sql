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
    CTE `pending_parts`: the parts that hold the sections of a CTE `pending` (file_id, part_nos, as in stg_sections), with
    the columns `carried` of these.
#}
{% macro pending_parts(carried=[]) -%}
pending_parts as (
    select
        pending.file_id,
        {%- for column in carried %}
        pending.{{ column }},
        {%- endfor %}
        parts.part_no
    from pending
    cross join lateral unnest(pending.part_nos) as parts (part_no)
)
{%- endmacro %}
