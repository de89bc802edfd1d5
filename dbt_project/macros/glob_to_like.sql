{# Pattern for LIKE from a pattern where only `*` is special. #}
{% macro glob_to_like(pattern) -%}
    replace(replace(replace(replace({{ pattern }}, '\', '\\'), '_', '\_'), '%', '\%'), '*', '%')
{%- endmacro %}
