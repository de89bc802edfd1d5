{# Lets the role named by the variable `reader_role` into the schema; dbt grants it the tables (dbt_project.yml). #}
{% macro grant_usage_to_reader() -%}
    {%- if var('reader_role', none) -%}
    grant usage on schema {{ target.schema }} to {{ var('reader_role') }}
    {%- endif -%}
{%- endmacro %}
