{#
    What keeps PostgreSQL from doing work more often than once. A JSON document is megabytes, stored compressed in pieces:
    each time an expression asks the stored value, the whole of it is read anew.
#}

{# At the end of a subquery: it is worked out by itself and handed on, where the planner would copy it into each use. #}
{% macro fence() -%}
    offset 0
{%- endmacro %}

{# A stored object as a value in memory; behind a fence, so that this happens once. #}
{% macro in_memory(object) -%}
    {{ object }} || '{}'
{%- endmacro %}
