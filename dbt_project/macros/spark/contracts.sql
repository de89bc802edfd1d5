{# Contracts (YAML) name types as PostgreSQL does; Spark has other names for some. #}
{% macro spark__get_empty_schema_sql(columns) -%}
    {%- set names = {'text': 'string', 'double precision': 'double', 'timestamp with time zone': 'timestamp'} %}
    select
    {%- for column in columns.values() %}
        cast(null as {{ names.get(column.data_type, column.data_type) }}) as {{ column.name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Names and types are compared; constraints Parquet does not keep. #}
{% macro spark__persist_constraints(relation, model) -%}
{%- endmacro %}
