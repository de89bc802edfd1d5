{# Pattern for LIKE from a pattern where only `*` is special. In Spark's strings a backslash is written twice. #}
{% macro glob_to_like(pattern) -%}
    {%- if target.type == 'spark' -%}
    replace(replace(replace(replace({{ pattern }}, '\\', '\\\\'), '_', '\\_'), '%', '\\%'), '*', '%')
    {%- else -%}
    replace(replace(replace(replace({{ pattern }}, '\', '\\'), '_', '\_'), '%', '\%'), '*', '%')
    {%- endif -%}
{%- endmacro %}
