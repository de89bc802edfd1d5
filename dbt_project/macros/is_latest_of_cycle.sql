{# Whether a row of a summary has a cycle, and no later row of its file has the same. #}
{% macro is_latest_of_cycle(rows) -%}
    {{ rows }}.cycle_index is not null
        and row_number() over (
            partition by {{ rows }}.file_id, {{ rows }}.cycle_index
            order by {{ rows }}.summary_index desc
        ) = 1
{%- endmacro %}
